package container

// Element IDs with their marker bits, as RFC 9559 §5.1 lists them.
const (
	idEBML           = 0x1A45DFA3
	idDocTypeVersion = 0x4287
	idVoid           = 0xEC
	idCRC32          = 0xBF

	idSegment = 0x18538067
	idCluster = 0x1F43B675
	idCues    = 0x1C53BB6B

	idSeekHead     = 0x114D9B74
	idSeek         = 0x4DBB
	idSeekID       = 0x53AB
	idSeekPosition = 0x53AC

	idTimestamp   = 0xE7
	idSimpleBlock = 0xA3
	idBlockGroup  = 0xA0
	idBlock       = 0xA1

	idInfo           = 0x1549A966
	idTitle          = 0x7BA9
	idTimestampScale = 0x2AD7B1
	idDuration       = 0x4489
	idWritingApp     = 0x5741

	idTags      = 0x1254C367
	idTag       = 0x7373
	idSimpleTag = 0x67C8

	idTargets          = 0x63C0
	idTargetTypeValue  = 0x68CA
	idTargetType       = 0x63CA
	idTagTrackUID      = 0x63C5
	idTagEditionUID    = 0x63C9
	idTagChapterUID    = 0x63C4
	idTagAttachmentUID = 0x63C6

	idTagName          = 0x45A3
	idTagLanguage      = 0x447A
	idTagLanguageBCP47 = 0x447B
	idTagDefault       = 0x4484
	idTagString        = 0x4487
	idTagBinary        = 0x4485

	idTracks              = 0x1654AE6B
	idTrackEntry          = 0xAE
	idTrackNumber         = 0xD7
	idTrackUID            = 0x73C5
	idTrackType           = 0x83
	idFlagEnabled         = 0xB9
	idFlagDefault         = 0x88
	idFlagForced          = 0x55AA
	idFlagHearingImpaired = 0x55AB
	idFlagVisualImpaired  = 0x55AC
	idFlagTextDescription = 0x55AD
	idFlagOriginal        = 0x55AE
	idFlagCommentary      = 0x55AF
	idName                = 0x536E
	idLanguage            = 0x22B59C
	idLanguageBCP47       = 0x22B59D
	idCodecID             = 0x86
	idCodecPrivate        = 0x63A2
	idVideo               = 0xE0
	idProjection          = 0x7670
	idProjectionPoseRoll  = 0x7675

	idChapters           = 0x1043A770
	idEditionEntry       = 0x45B9
	idEditionUID         = 0x45BC
	idEditionFlagHidden  = 0x45BD
	idEditionFlagDefault = 0x45DB
	idEditionFlagOrdered = 0x45DD
	idChapterAtom        = 0xB6
	idChapterUID         = 0x73C4
	idChapterTimeStart   = 0x91
	idChapterTimeEnd     = 0x92
	idChapterFlagHidden  = 0x98
	idChapterFlagEnabled = 0x4598
	idChapterSegmentUUID = 0x6E67
	idChapterDisplay     = 0x80
	idChapString         = 0x85
	idChapLanguage       = 0x437C
	idChapLanguageBCP47  = 0x437D

	idAttachments     = 0x1941A469
	idAttachedFile    = 0x61A7
	idFileDescription = 0x467E
	idFileName        = 0x466E
	idFileMediaType   = 0x4660
	idFileData        = 0x465C
	idFileUID         = 0x46AE
)
