#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "glue.h"
#include "span.h"

/* Tells the bus that a source began too late. */
static void
tell_missed(GstPad *pad)
{
  GstElement *element = gst_pad_get_parent_element(pad);

  if (element == NULL)
    return;
  gst_element_post_message(element, gst_message_new_application(GST_OBJECT(element), gst_structure_new_empty("missed")));
  gst_object_unref(element);
}

/* Drops the buffers that begin before a time. The last of them is still shown at
 * that time where none begins then: it is let go in front of the next. */
typedef struct {
  gint64 until_ns, near_ns;
  gboolean strict; /* there must be one to show at that time */
  GstBuffer *held; /* NULL, or the last that was dropped; used on the streaming thread */
  gboolean over, missed;
} Skip;

static GstPadProbeReturn
skip_until(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Skip *s = data;
  GstBuffer *held = NULL;
  gint64 at;

  if (s->missed)
    return GST_PAD_PROBE_DROP;
  if (s->over)
    return GST_PAD_PROBE_OK;
  if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS)
      return GST_PAD_PROBE_OK;
    at = G_MAXINT64;
  } else if (!pad_stream_time(pad, GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)), &at)) {
    at = s->until_ns;
  }
  if (at < s->until_ns - s->near_ns) {
    gst_buffer_replace(&s->held, GST_PAD_PROBE_INFO_BUFFER(info));
    return GST_PAD_PROBE_DROP;
  }
  if (s->strict && s->held == NULL && at > s->until_ns + s->near_ns) {
    s->missed = TRUE;
    tell_missed(pad);
    return GST_PAD_PROBE_DROP;
  }
  s->over = TRUE; /* so that what comes from here passes */
  held = g_steal_pointer(&s->held);
  if (held != NULL && at > s->until_ns + s->near_ns)
    gst_pad_chain(pad, held); /* what it returns, the next one returns as well */
  else
    gst_clear_buffer(&held);
  return GST_PAD_PROBE_OK;
}

static void
skip_free(gpointer data)
{
  Skip *s = data;

  gst_clear_buffer(&s->held);
  g_free(s);
}

void
pad_skip_until(void *pad, gint64 until_ns, gint64 near_ns, gboolean strict)
{
  Skip *s = g_new0(Skip, 1);

  s->strict = strict;
  s->until_ns = until_ns;
  s->near_ns = near_ns;
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, skip_until, s, skip_free);
}

static GstPadProbeReturn
must_begin(GstPad *pad, GstPadProbeInfo *info, gpointer by_ns)
{
  gint64 at;

  if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS)
      return GST_PAD_PROBE_OK;
  } else if (!pad_stream_time(pad, GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)), &at) || at <= *(gint64 *)by_ns) {
    return GST_PAD_PROBE_REMOVE;
  }
  if (*(gint64 *)by_ns != G_MININT64)
    tell_missed(pad);
  *(gint64 *)by_ns = G_MININT64; /* all that follows is missed, too, and told once */
  return GST_PAD_PROBE_DROP;
}

void
pad_must_begin(void *pad, gint64 by_ns)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, must_begin,
      g_memdup2(&by_ns, sizeof by_ns), g_free);
}

/* Has a segment take the place of that of a probe's event. */
static GstPadProbeReturn
replace_segment(GstPadProbeInfo *info, const GstSegment *segment)
{
  GstEvent *old = GST_PAD_PROBE_INFO_EVENT(info), *event = gst_event_new_segment(segment);

  gst_event_set_seqnum(event, gst_event_get_seqnum(old));
  gst_event_unref(old);
  GST_PAD_PROBE_INFO_DATA(info) = event;
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
keep_times(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  GstSegment segment;

  (void)pad, (void)data;
  if (GST_EVENT_TYPE(event) != GST_EVENT_SEGMENT)
    return GST_PAD_PROBE_OK;
  gst_event_copy_segment(event, &segment);
  if (segment.format != GST_FORMAT_TIME || segment.time == segment.start)
    return GST_PAD_PROBE_OK;
  segment.time = segment.start;
  return replace_segment(info, &segment);
}

void
pad_keep_times(void *pad)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, keep_times, NULL, NULL);
}

static GstPadProbeReturn
widen(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  GstSegment segment;
  guint64 by;

  (void)pad, (void)data;
  if (GST_EVENT_TYPE(event) != GST_EVENT_SEGMENT)
    return GST_PAD_PROBE_OK;
  gst_event_copy_segment(event, &segment);
  if (segment.format != GST_FORMAT_TIME || segment.rate != 1.0)
    return GST_PAD_PROBE_OK;
  by = MIN(segment.start, segment.time);
  segment.start -= by;
  segment.time -= by;
  segment.position = segment.start;
  return replace_segment(info, &segment);
}

void
pad_widen(void *pad)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, widen, NULL, NULL);
}

typedef struct {
  guintptr handle;
  gboolean own;
} Clock;

static GstPadProbeReturn
clock_by(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  const Clock *c = data;
  GstClockTime t;
  gint64 at;

  if (!(info->type & GST_PAD_PROBE_TYPE_BUFFER))
    return GST_PAD_PROBE_DROP;
  t = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info));
  if (c->own ? own_time(t, &at) : pad_stream_time(pad, t, &at))
    goPlayClock(c->handle, at);
  return GST_PAD_PROBE_DROP;
}

void
pad_clock(void *pad, guintptr handle, gboolean own)
{
  Clock *c = g_new(Clock, 1);

  c->handle = handle;
  c->own = own;
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM, clock_by, c, g_free);
}

/* Posts a sentence as an error and frees it. */
static void
complain(GstPad *pad, char *sentence)
{
  GstElement *sink = gst_pad_get_parent_element(pad);

  if (sink != NULL) {
    GST_ELEMENT_ERROR(sink, LIBRARY, FAILED, ("%s", sentence), (NULL));
    gst_object_unref(sink);
  }
  free(sentence);
}

static void
hand_caps(GstPad *pad, GstEvent *event, guintptr handle)
{
  GstCaps *caps;
  const GValue *data;
  GstMapInfo map = GST_MAP_INFO_INIT;
  GstBuffer *buffer = NULL;
  char *text, *sentence;

  gst_event_parse_caps(event, &caps);
  data = gst_structure_get_value(gst_caps_get_structure(caps, 0), "codec_data");
  if (data != NULL && GST_VALUE_HOLDS_BUFFER(data))
    buffer = gst_value_get_buffer(data);
  if (buffer != NULL && !gst_buffer_map(buffer, &map, GST_MAP_READ))
    buffer = NULL;
  text = gst_caps_to_string(caps);
  sentence = goPlayCaps(handle, text, map.data, map.size);
  g_free(text);
  if (buffer != NULL)
    gst_buffer_unmap(buffer, &map);
  if (sentence != NULL)
    complain(pad, sentence);
}

static GstPadProbeReturn
hand_over(GstPad *pad, GstPadProbeInfo *info, gpointer handle)
{
  GstBuffer *buffer;
  GstMapInfo map;
  char *sentence;
  PlayBuffer b;

  if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_CAPS)
      hand_caps(pad, GST_PAD_PROBE_INFO_EVENT(info), (guintptr)handle);
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS)
      return GST_PAD_PROBE_OK;
    sentence = goPlayEnd((guintptr)handle);
    if (sentence != NULL)
      complain(pad, sentence);
    return GST_PAD_PROBE_OK;
  }
  buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) {
    complain(pad, strdup("a buffer cannot be read"));
    return GST_PAD_PROBE_DROP;
  }
  b.data = map.data;
  b.size = map.size;
  b.timed = pad_stream_time(pad, GST_BUFFER_PTS(buffer), &b.pts_ns);
  if (!pad_stream_time(pad, GST_BUFFER_DTS(buffer), &b.dts_ns))
    b.dts_ns = b.pts_ns;
  b.duration_ns = GST_BUFFER_DURATION_IS_VALID(buffer) ? (gint64)GST_BUFFER_DURATION(buffer) : -1;
  b.key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  sentence = goPlayBuffer((guintptr)handle, &b);
  gst_buffer_unmap(buffer, &map);
  if (sentence != NULL)
    complain(pad, sentence);
  return GST_PAD_PROBE_DROP; /* it has been handed over; the sink needs none */
}

void
sink_hand_over(void *sink, guintptr handle)
{
  GstPad *pad = gst_element_get_static_pad(sink, "sink");

  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, hand_over, (gpointer)handle, NULL);
  gst_object_unref(pad);
}
