/* What go-gst lacks, or would do with an allocation per buffer: counting
 * buffers, reading tags and errors, editing subtitle text. Every pointer to a
 * pad, element or message is borrowed for the call unless it says otherwise. */
#ifndef UPSCALED_PIPELINE_GLUE_H
#define UPSCALED_PIPELINE_GLUE_H

#include <gst/gst.h>

/* Counts the buffers that pass a pad. Holds a reference to the pad until
 * counter_free. count and end_ns are read and written atomically. */
typedef struct {
  GstPad *pad;
  gulong probe;
  gint64 count;
  gint64 end_ns; /* running time at which the furthest buffer ends, -1 before the first */
} Counter;

Counter *counter_new(void *pad);
gint64 counter_count(Counter *c);
gint64 counter_end_ns(Counter *c);
void counter_free(Counter *c);

/* A GstMessage of type ERROR or WARNING. The strings belong to the caller,
 * who frees them with g_free. */
typedef struct {
  char *domain; /* CORE, LIBRARY, RESOURCE, STREAM or another quark's name */
  int code;
  int flow; /* the GstFlowReturn that ended the stream, GST_FLOW_OK where none is told */
  char *text, *debug, *path, *factory;
} Failure;

void failure_parse(void *message, Failure *out);
void failure_clear(Failure *f);

/* Returns the first value of a tag among the sticky tag events of a pad, as a
 * string to be freed with g_free, or NULL. */
char *pad_tag(void *pad, const char *tag);

/* Reports whether the sticky tag events of a pad hold a tag, of whatever type. */
gboolean pad_has_tag(void *pad, const char *tag);

/* Returns the caps of a source pad of parsebin, serialised, to be freed with
 * g_free; NULL when nothing is known of them. A parser names its caps with its
 * first buffer; until then those that it was given are returned. */
char *pad_caps(void *pad);

/* Returns the stream time at which the segment of a pad begins, 0 when it has none,
 * and how far the time of its buffers is ahead of that. */
gint64 pad_begin_ns(void *pad, gint64 *ahead_ns);

/* Reports whether some pad in a bin has a thread that runs. Where none has,
 * nothing will happen any more. */
gboolean bin_runs(void *bin);

/* Returns the names of the factories in a bin whose class names one of two
 * kinds, in the order in which data passes them, separated by spaces; to be
 * freed with g_free. */
char *bin_factories(void *bin, const char *kind, const char *or_kind);

/* Swallows everything that comes to a source pad, which needs no peer then. */
void pad_discard(void *pad);

/* Drops what leaves a source pad until a flushing seek has passed it, and the
 * flushes of the seek, which nothing behind the pad must see. */
void pad_wait_for_seek(void *pad);

/* Has the first segment that leaves a pad begin no later than begin_ns. A
 * demuxer that finds an earlier time in a later stream sends another segment,
 * and the pictures before it would be shown too early. */
void pad_begin_at(void *pad, gint64 begin_ns);

/* What is taken of a film that cannot be sought in: running time from_ns to until_ns, -1
 * for its end. Several pads of one source hold it, and whoever made it until part_free. */
typedef struct Part Part;

Part *part_new(gint64 from_ns, gint64 until_ns);
void part_free(Part *p);

/* Moves the segments that leave a source pad so that the part begins at running time 0,
 * and ends the stream where the part ends: pictures before it are for decoders, which
 * drop them. flowing: the stream has data all the time. One thread pushes the streams
 * of a part. */
void part_take(Part *p, void *pad, gboolean picture, gboolean flowing);

/* Holds what comes to a source pad until pad_release with the id that is returned. */
gulong pad_hold(void *pad);
void pad_release(void *pad, gulong id);

/* Gives every picture that passes a pad a time after that of the one before.
 * steady: where a picture's time is off the end of the one before by some
 * pictures only, it is made to follow; for streams whose times are guessed in
 * part, as the pictures of MPEG-1 and 2 that have none. */
void pad_order_times(void *pad, gboolean steady);

/* Gives a picture that leaves a parser without a time those that it went in with.
 * GStreamer's parsers (1.22) lose times now and then, and muxers take no picture
 * without. Pictures neither overtake each other nor change threads in a parser. */
void parser_keep_stamps(void *sink_pad, void *src_pad);

/* Gives sound that passes a pad the time at which it is decoded where it has no other,
 * as from avidemux (1.22) that is pushed into. */
void pad_time_sound(void *pad);

/* Calls goPadAdded with the handle for each pad that an element adds, until
 * element_disconnect with the id that is returned. */
gulong element_on_pad_added(void *element, guintptr handle);
void element_disconnect(void *element, gulong id);

/* Has the decoders of gst-libav that a bin adds decode into memory of libav's
 * own. For a picture in a pixel format that GStreamer has no name for, gst-libav
 * (1.22) otherwise sets a buffer pool up from memory that it never wrote, and
 * crashes now and then, before it looks whether it knows the format. */
void bin_own_pictures(void *bin);

/* Sends an accurate flushing seek upstream from a source pad. stop_ns -1: to the end. */
gboolean pad_seek(void *pad, gint64 start_ns, gint64 stop_ns);

/* The same to the key frame at or before start_ns, which is all that a demuxer can do by itself. */
gboolean pad_seek_key(void *pad, gint64 start_ns);

/* Drops the buffers of a sink pad that begin before a stream time by more than near_ns,
 * but for the last of them where none begins at that time. Demuxers go back to a
 * key frame. strict: where there is none to show at that time either, nothing
 * passes, and an application message "missed" is posted. */
void pad_skip_until(void *pad, gint64 until_ns, gint64 near_ns, gboolean strict);

/* Lets nothing pass a sink pad, and posts the same message, where the first buffer
 * begins later than a stream time. */
void pad_must_begin(void *pad, gint64 by_ns);

/* Makes stream time the same as buffers' own time. matroskademux (1.22) begins its
 * time line at the block it meets first, which after a seek is another one. */
void pad_keep_times(void *pad);

/* Has the segments of a pad begin as early as they can; stream times stay. A decoder
 * drops what lies before a segment, and moves what lies across its beginning. */
void pad_widen(void *pad);

/* Calls goPlayClock, of play_text.go, with the stream time of each buffer of a pad,
 * or with own the buffer's own, and drops it. */
void pad_clock(void *pad, guintptr handle, gboolean own);

/* A buffer that reached a sink. Times are stream times. */
typedef struct {
  const void *data;
  gsize size;
  gint64 pts_ns, dts_ns, duration_ns; /* duration -1: not known */
  gboolean timed, key;
} PlayBuffer;

/* Calls goPlayCaps, goPlayBuffer and goPlayEnd, of play_lanes.go, with what comes
 * into the sink pad of a sink. */
void sink_hand_over(void *sink, guintptr handle);

/* Keeps the time of the first picture right that an encoder puts out.
 * GstVideoEncoder (1.22) moves time stamps up by hours where an encoder needs
 * room for decoding times below them. When the first decoding time lies before
 * the segment, the first picture comes with a segment that begins at it, and
 * only the second with the right one, whose position both have. */
void encoder_keep_first_time(void *sink_pad, void *src_pad);

/* Turns the Pango markup of text buffers that pass a pad into UTF-8 with the
 * tags of SubRip, or with none. The caps are left as they are. */
void pad_markup_to_subrip(void *pad);
void pad_markup_to_plain(void *pad);

/* Sets the rank of an element factory, if there is one. */
void factory_set_rank(const char *factory, guint rank);

/* Keeps parsebin and decodebin from choosing demuxers whose class names a kind. */
void demuxers_never_choice(const char *kind);

/* Reports whether some sink pad of an element factory takes the caps. */
gboolean factory_takes(const char *factory, const char *caps);

/* Sets a property from its serialised value. FALSE: no such property, or the
 * value cannot be read. */
gboolean element_set(void *element, const char *property, const char *value);

#endif
