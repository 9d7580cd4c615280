#include "glue.h"

/* Times are running times of the film, on the time line that its source tells. */
struct Part {
  GMutex lock;
  GList *streams;  /* guarded by lock; PartStream */
  guint flowing;   /* guarded by lock; streams with data all the time that have not ended */
  gboolean ended;  /* guarded by lock; all of them have */
  gint64 from, until; /* until -1: to the end */
};

/* A stream of a part. But for what is said of it at Part it is used on the thread that
 * pushes it. */
typedef struct {
  Part *part;
  GstPad *pad; /* borrowed: this goes with it */
  gboolean picture, flowing;
  gboolean over; /* nothing more is handed on */
  guint beyond;  /* pictures in a row that are shown behind the end */
  GstSegment segment; /* as the source told it */
} PartStream;

/* So many pictures behind the end tell that none before it is to come: as many as H.264
 * and HEVC may hold back, and one. */
#define HELD_BACK 17

/* A stream that shows nothing while the picture is so far behind the end has ended. */
#define BEHIND (3 * GST_SECOND)

/* Sound that ends so long before the beginning is no help to a decoder. */
#define WARM_UP (GST_SECOND / 5)

Part *
part_new(gint64 from_ns, gint64 until_ns)
{
  Part *p = g_atomic_rc_box_new0(Part);

  g_mutex_init(&p->lock);
  p->from = from_ns;
  p->until = until_ns;
  return p;
}

static void
clear(gpointer part)
{
  g_mutex_clear(&((Part *)part)->lock);
}

void
part_free(Part *p)
{
  g_atomic_rc_box_release_full(p, clear);
}

/* Ends a stream for what is behind its pad. */
static void
end(PartStream *s)
{
  GstPad *peer;

  if (s->over)
    return;
  s->over = TRUE;
  peer = gst_pad_get_peer(s->pad);
  if (peer == NULL)
    return;
  gst_pad_send_event(peer, gst_event_new_eos());
  gst_object_unref(peer);
}

/* Ends the streams that may show nothing for long, once all others have. */
static void
end_all(Part *p)
{
  GList *all;

  g_mutex_lock(&p->lock);
  p->ended = TRUE;
  all = g_list_copy(p->streams);
  g_mutex_unlock(&p->lock);
  for (GList *l = all; l != NULL; l = l->next) /* one thread pushes them all, which is this one */
    end(l->data);
  g_list_free(all);
}

static void
finished(PartStream *s)
{
  Part *p = s->part;
  gboolean last;

  if (s->over)
    return;
  end(s);
  g_mutex_lock(&p->lock);
  last = s->flowing && --p->flowing == 0;
  g_mutex_unlock(&p->lock);
  if (last)
    end_all(p);
}

/* Moves a segment so that the part begins at running time 0. */
static GstEvent *
moved(PartStream *s, GstEvent *event)
{
  Part *p = s->part;
  GstSegment segment;
  GstEvent *new;
  gint64 skip;

  gst_event_copy_segment(event, &segment);
  if (segment.format != GST_FORMAT_TIME)
    return event;
  s->segment = segment;
  skip = p->from - (gint64)segment.base;
  if (p->until >= 0) {
    guint64 stop = segment.start + MAX(0, p->until - (gint64)segment.base);
    segment.stop = MIN(segment.stop, stop); /* no stop is the largest number */
  }
  if (skip > 0) {
    segment.start += skip;
    if (GST_CLOCK_TIME_IS_VALID(segment.time))
      segment.time += skip;
    segment.position = segment.start;
    segment.base = 0;
  } else
    segment.base -= p->from;
  if (GST_CLOCK_TIME_IS_VALID(segment.stop))
    segment.stop = MAX(segment.stop, segment.start);
  new = gst_event_new_segment(&segment);
  gst_event_set_seqnum(new, gst_event_get_seqnum(event));
  gst_event_unref(event);
  return new;
}

/* Returns the running time of a time of buffers, G_MININT64 where that is not known. */
static gint64
running(const PartStream *s, GstClockTime at)
{
  if (!GST_CLOCK_TIME_IS_VALID(at) || s->segment.format != GST_FORMAT_TIME)
    return G_MININT64;
  return (gint64)at - (gint64)s->segment.start + (gint64)s->segment.base;
}

/* Reports whether a buffer is the first that lies behind the part for sure: pictures
 * come in the order of decoding. */
static gboolean
behind(PartStream *s, GstBuffer *buffer)
{
  gint64 until = s->part->until, pts = running(s, GST_BUFFER_PTS(buffer)), dts = running(s, GST_BUFFER_DTS(buffer));

  if (until < 0)
    return FALSE;
  if (!s->picture)
    return pts >= until;
  s->beyond = pts >= until ? s->beyond + 1 : 0;
  return dts >= until || s->beyond >= HELD_BACK;
}

/* Reports whether a buffer lies so far in front of the part that nothing needs it. */
static gboolean
in_front(const PartStream *s, GstBuffer *buffer)
{
  gint64 begin = running(s, GST_BUFFER_PTS(buffer));

  if (s->picture || begin == G_MININT64)
    return FALSE;
  if (GST_BUFFER_DURATION_IS_VALID(buffer))
    begin += (gint64)GST_BUFFER_DURATION(buffer);
  return begin < s->part->from - (gint64)WARM_UP;
}

/* Takes a buffer out of the stream, and tells the source that nothing more is wanted
 * when that is so of all streams. */
static GstPadProbeReturn
not_wanted(PartStream *s, GstPadProbeInfo *info)
{
  Part *p = s->part;
  gint64 at = running(s, GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)));
  gboolean ended;

  if (s->picture && at >= p->until + (gint64)BEHIND)
    end_all(p);
  g_mutex_lock(&p->lock);
  ended = p->ended;
  g_mutex_unlock(&p->lock);
  gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
  GST_PAD_PROBE_INFO_DATA(info) = NULL;
  GST_PAD_PROBE_INFO_FLOW_RETURN(info) = ended ? GST_FLOW_EOS : GST_FLOW_OK;
  return GST_PAD_PROBE_HANDLED;
}

static GstPadProbeReturn
part_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  PartStream *s = data;

  (void)pad;
  if (!s->over && behind(s, GST_PAD_PROBE_INFO_BUFFER(info)))
    finished(s);
  if (s->over)
    return not_wanted(s, info);
  return in_front(s, GST_PAD_PROBE_INFO_BUFFER(info)) ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
part_event(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  PartStream *s = data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  GstClockTime at;

  (void)pad;
  switch (GST_EVENT_TYPE(event)) {
  case GST_EVENT_SEGMENT:
    GST_PAD_PROBE_INFO_DATA(info) = moved(s, event);
    return GST_PAD_PROBE_OK;
  case GST_EVENT_GAP:
    gst_event_parse_gap(event, &at, NULL);
    return s->over || running(s, at) < s->part->from ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
  case GST_EVENT_EOS:
    return s->over ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
  default:
    return GST_PAD_PROBE_OK;
  }
}

static void
forget(gpointer stream)
{
  PartStream *s = stream;

  g_mutex_lock(&s->part->lock);
  s->part->streams = g_list_remove(s->part->streams, s);
  g_mutex_unlock(&s->part->lock);
  part_free(s->part);
  g_free(s);
}

void
part_take(Part *p, void *pad, gboolean picture, gboolean flowing)
{
  PartStream *s = g_new0(PartStream, 1);

  s->part = g_atomic_rc_box_acquire(p);
  s->pad = pad;
  s->picture = picture;
  s->flowing = flowing;
  g_mutex_lock(&p->lock);
  p->streams = g_list_prepend(p->streams, s);
  p->flowing += flowing;
  g_mutex_unlock(&p->lock);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, part_event, s, NULL);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, part_buffer, s, forget);
}
