#include "live.h"

#include <gst/video/video.h>
#include <stdlib.h>

#include "_cgo_export.h"

/* As in elements/grid: an encoder moves what begins earlier up to here, and holds
 * wishes for key frames against times so moved. */
#define AHEAD (1000 * 3600 * (gint64)GST_SECOND)

/* So long may compressed pictures be late before any is let go: a decoder that was
 * only held up catches up in less. */
#define PATIENCE_US G_USEC_PER_SEC

static gboolean
is_key(GstBuffer *buffer)
{
  return !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
}

/* Numbers a buffer and notes when it came. */
static GstPadProbeReturn
lag_in(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Lag *l = data;
  GstBuffer *buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));

  (void)pad;
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  if (is_key(buffer))
    __atomic_add_fetch(&l->keys, 1, __ATOMIC_RELAXED);
  GST_BUFFER_OFFSET(buffer) = (guint64)__atomic_fetch_add(&l->came, 1, __ATOMIC_RELAXED);
  GST_BUFFER_OFFSET_END(buffer) = (guint64)g_get_monotonic_time();
  return GST_PAD_PROBE_OK;
}

/* Reports whether a compressed picture is to be let go. */
static gboolean
skipped(Lag *l, gboolean key, gboolean late, gint64 now_us)
{
  if (!late)
    l->late_since_us = 0;
  else if (l->late_since_us == 0)
    l->late_since_us = now_us;
  if (late && now_us - l->late_since_us >= PATIENCE_US)
    l->skipping = TRUE;
  if (key && __atomic_load_n(&l->keys, __ATOMIC_RELAXED) == l->keys_gone) {
    l->skipping = FALSE; /* no later one is there */
    l->late_since_us = 0;
  }
  return l->skipping;
}

static GstPadProbeReturn
lag_out(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Lag *l = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  gint64 n = (gint64)GST_BUFFER_OFFSET(buffer), now = g_get_monotonic_time();
  gboolean late = now - (gint64)GST_BUFFER_OFFSET_END(buffer) > l->limit_us, key = is_key(buffer), let_go;

  (void)pad;
  if (n > l->next)
    __atomic_add_fetch(&l->dropped, n - l->next, __ATOMIC_RELAXED);
  l->next = n + 1;
  l->keys_gone += key;
  if (l->by_key)
    let_go = skipped(l, key, late, now);
  else
    let_go = late && __atomic_load_n(&l->came, __ATOMIC_RELAXED) > n + 1;
  if (!let_go)
    return GST_PAD_PROBE_OK;
  __atomic_add_fetch(&l->dropped, 1, __ATOMIC_RELAXED);
  return GST_PAD_PROBE_DROP;
}

Lag *
lag_new(void *queue, gint64 limit_us, gboolean by_key)
{
  Lag *l = g_new0(Lag, 1);

  l->in = gst_element_get_static_pad(queue, "sink");
  l->out = gst_element_get_static_pad(queue, "src");
  l->limit_us = limit_us;
  l->by_key = l->skipping = by_key;
  l->in_probe = gst_pad_add_probe(l->in, GST_PAD_PROBE_TYPE_BUFFER, lag_in, l, NULL);
  l->out_probe = gst_pad_add_probe(l->out, GST_PAD_PROBE_TYPE_BUFFER, lag_out, l, NULL);
  return l;
}

gint64
lag_dropped(Lag *l)
{
  return __atomic_load_n(&l->dropped, __ATOMIC_RELAXED);
}

void
lag_free(Lag *l)
{
  gst_pad_remove_probe(l->in, l->in_probe);
  gst_pad_remove_probe(l->out, l->out_probe);
  gst_object_unref(l->in);
  gst_object_unref(l->out);
  g_free(l);
}

/* Posts a sentence as an error of a pad's element and frees it. */
static void
complain(GstPad *pad, char *sentence)
{
  GstElement *element = gst_pad_get_parent_element(pad);

  if (element != NULL) {
    GST_ELEMENT_ERROR(element, LIBRARY, FAILED, ("%s", sentence), (NULL));
    gst_object_unref(element);
  }
  free(sentence);
}

static GstPadProbeReturn
tell_caps(GstPad *pad, GstPadProbeInfo *info, gpointer handle)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  GstCaps *caps;
  char *text, *sentence;

  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps(event, &caps);
  text = gst_caps_to_string(caps);
  sentence = goLiveCaps((guintptr)handle, text);
  g_free(text);
  if (sentence == NULL)
    return GST_PAD_PROBE_OK;
  complain(pad, sentence);
  return GST_PAD_PROBE_DROP;
}

void
pad_tell_caps(void *pad, guintptr handle)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, tell_caps, (gpointer)handle, NULL);
}

static GstPadProbeReturn
straighten(GstPad *pad, GstPadProbeInfo *info, gpointer handle)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  GstClockTime own = GST_BUFFER_PTS_IS_VALID(buffer) ? GST_BUFFER_PTS(buffer) : GST_BUFFER_DTS(buffer);
  gint64 by;

  (void)pad;
  if (!GST_CLOCK_TIME_IS_VALID(own))
    return GST_PAD_PROBE_OK;
  by = goLiveStraighten((guintptr)handle, (gint64)own) - (gint64)own;
  if (by == 0)
    return GST_PAD_PROBE_OK;
  buffer = gst_buffer_make_writable(buffer);
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  if (GST_BUFFER_PTS_IS_VALID(buffer))
    GST_BUFFER_PTS(buffer) += by;
  if (GST_BUFFER_DTS_IS_VALID(buffer))
    GST_BUFFER_DTS(buffer) += by;
  return GST_PAD_PROBE_OK;
}

void
pad_straighten(void *pad, guintptr handle)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, straighten, (gpointer)handle, NULL);
}

typedef struct {
  guintptr handle;
  guint keys;
  gboolean begun; /* the segment has passed */
} Times;

/* Lets one segment pass, which begins where the times do. */
static GstPadProbeReturn
live_segment(Times *t, GstPadProbeInfo *info)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  GstSegment segment;

  if (GST_EVENT_TYPE(event) == GST_EVENT_GAP)
    return GST_PAD_PROBE_DROP; /* the picture before it is shown on */
  if (GST_EVENT_TYPE(event) != GST_EVENT_SEGMENT)
    return GST_PAD_PROBE_OK;
  if (t->begun)
    return GST_PAD_PROBE_DROP;
  t->begun = TRUE;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = segment.position = segment.base = AHEAD;
  gst_event_unref(event);
  GST_PAD_PROBE_INFO_DATA(info) = gst_event_new_segment(&segment);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
live_times(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Times *t = data;
  GstBuffer *buffer;
  gint64 at, length;
  gboolean key;

  if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM)
    return live_segment(t, info);
  buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  at = GST_BUFFER_PTS_IS_VALID(buffer) ? (gint64)GST_BUFFER_PTS(buffer) : -1;
  length = GST_BUFFER_DURATION_IS_VALID(buffer) ? (gint64)GST_BUFFER_DURATION(buffer) : 0;
  key = goLivePicture(t->handle, &at, &length);
  GST_BUFFER_PTS(buffer) = (GstClockTime)(at + AHEAD);
  GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(buffer) = (GstClockTime)length;
  if (key && t->keys++ > 0) /* the first is a key frame by itself */
    gst_pad_send_event(pad, gst_video_event_new_downstream_force_key_unit(GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE,
        GST_CLOCK_TIME_NONE, TRUE, t->keys));
  return GST_PAD_PROBE_OK;
}

void
pad_live_times(void *pad, guintptr handle)
{
  Times *t = g_new0(Times, 1);

  t->handle = handle;
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, live_times, t, g_free);
}

static void
set_if(GstElement *element, const char *property, const char *value)
{
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), property) != NULL)
    gst_util_set_object_arg(G_OBJECT(element), property, value);
}

/* libav's decoders hold a picture back for each thread that works on whole frames,
 * and as many as a level allows where a strict reading of H.264 asks for it: of
 * streams that do not say how far their pictures are out of order. */
static void
low_delay(GstBin *bin, GstElement *element, gpointer data)
{
  (void)bin, (void)data;
  set_if(element, "thread-type", "slice");
  set_if(element, "std-compliance", "normal");
  set_if(element, "max-errors", "-1");
}

void
bin_low_delay(void *bin)
{
  g_signal_connect(bin, "element-added", G_CALLBACK(low_delay), NULL);
}

void
pad_send_end(void *pad)
{
  gst_pad_send_event(pad, gst_event_new_eos());
}

gboolean
pad_lists_sound(void *pad)
{
  GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_STREAM_COLLECTION, 0);
  GstStreamCollection *all = NULL;
  gboolean listed = FALSE;
  guint i;

  if (event == NULL)
    return FALSE;
  gst_event_parse_stream_collection(event, &all);
  for (i = 0; all != NULL && i < gst_stream_collection_get_size(all); i++)
    if (gst_stream_get_stream_type(gst_stream_collection_get_stream(all, i)) & GST_STREAM_TYPE_AUDIO)
      listed = TRUE;
  if (all != NULL)
    gst_object_unref(all);
  gst_event_unref(event);
  return listed;
}
