#include "span.h"

/* Returns the stream time of t in a segment; before its start it is negative. */
static gboolean
stream_time(const GstSegment *segment, GstClockTime t, gint64 *ns)
{
  guint64 at;
  gint sign;

  if (segment->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(t))
    return FALSE;
  sign = gst_segment_to_stream_time_full(segment, GST_FORMAT_TIME, t, &at);
  *ns = sign * (gint64)at;
  return sign != 0;
}

gboolean
own_time(GstClockTime t, gint64 *ns)
{
  *ns = (gint64)t;
  return GST_CLOCK_TIME_IS_VALID(t);
}

gboolean
pad_stream_time(GstPad *pad, GstClockTime t, gint64 *ns)
{
  GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;
  gboolean known;

  if (event == NULL)
    return FALSE;
  gst_event_parse_segment(event, &segment);
  known = stream_time(segment, t, ns);
  gst_event_unref(event);
  return known;
}

static GstPadProbeReturn
measure(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Span *s = data;
  GstBuffer *buffer;
  GstClockTime t;
  gint64 at;

  if (info->type & GST_PAD_PROBE_TYPE_EVENT_BOTH) {
    switch (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info))) {
    case GST_EVENT_EOS:
      g_atomic_int_set(&s->ended, TRUE);
      return GST_PAD_PROBE_DROP;
    case GST_EVENT_FLUSH_STOP:
      g_atomic_int_set(&s->ended, FALSE);
      return GST_PAD_PROBE_DROP;
    default: /* sticky ones are kept by the pad all the same */
      return GST_PAD_PROBE_DROP;
    }
  }
  buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  t = GST_BUFFER_PTS_IS_VALID(buffer) ? GST_BUFFER_PTS(buffer) : GST_BUFFER_DTS(buffer); /* AVI has decoding times alone */
  if (s->own ? own_time(t, &at) : pad_stream_time(pad, t, &at)) {
    gint64 end = at + (GST_BUFFER_DURATION_IS_VALID(buffer) ? (gint64)GST_BUFFER_DURATION(buffer) : 0);

    if (s->count == 0 || at < s->first_ns)
      __atomic_store_n(&s->first_ns, at, __ATOMIC_RELAXED);
    if (s->count == 0 || at > s->last_ns)
      __atomic_store_n(&s->last_ns, at, __ATOMIC_RELAXED);
    if (s->count == 0 || end > s->end_ns)
      __atomic_store_n(&s->end_ns, end, __ATOMIC_RELAXED);
    __atomic_add_fetch(&s->count, 1, __ATOMIC_RELEASE);
  }
  return GST_PAD_PROBE_DROP;
}

/* Measures what comes out of a pad, and drops it. */
Span *
span_new(void *pad, gboolean own)
{
  Span *s = g_new0(Span, 1);

  s->own = own;
  s->pad = gst_object_ref(pad);
  s->probe = gst_pad_add_probe(pad,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH, measure, s, NULL);
  return s;
}

void
span_read(Span *s, gint64 *first_ns, gint64 *last_ns, gint64 *end_ns, gint64 *count, gboolean *ended)
{
  *count = __atomic_load_n(&s->count, __ATOMIC_ACQUIRE);
  *first_ns = __atomic_load_n(&s->first_ns, __ATOMIC_RELAXED);
  *last_ns = __atomic_load_n(&s->last_ns, __ATOMIC_RELAXED);
  *end_ns = __atomic_load_n(&s->end_ns, __ATOMIC_RELAXED);
  *ended = g_atomic_int_get(&s->ended);
}

void
span_free(Span *s)
{
  gst_pad_remove_probe(s->pad, s->probe);
  gst_object_unref(s->pad);
  g_free(s);
}

/* The stream time of the buffer that a sink holds. */
gboolean
sink_last_ns(void *sink, gboolean own, gint64 *ns)
{
  GstSample *sample = NULL;
  gboolean known = FALSE;

  g_object_get(sink, "last-sample", &sample, NULL);
  if (sample == NULL)
    return FALSE;
  if (gst_sample_get_buffer(sample) != NULL && gst_sample_get_segment(sample) != NULL)
    known = own ? own_time(GST_BUFFER_PTS(gst_sample_get_buffer(sample)), ns)
                : stream_time(gst_sample_get_segment(sample), GST_BUFFER_PTS(gst_sample_get_buffer(sample)), ns);
  gst_sample_unref(sample);
  return known;
}
