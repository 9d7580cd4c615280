#include "glue.h"

/* How far the segment that goes into an encoder begins after its position.
 * Written and read on its streaming thread, the input before the output. */
typedef struct {
  gint64 ahead;
} FirstTime;

static GstPadProbeReturn
note_segment(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  FirstTime *t = data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);

  (void)pad;
  if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
    const GstSegment *segment;

    gst_event_parse_segment(event, &segment);
    t->ahead = (gint64)segment->start - (gint64)segment->position;
  }
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
keep_first_time(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  FirstTime *t = data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info), *right;
  GstSegment segment;

  (void)pad;
  if (GST_EVENT_TYPE(event) != GST_EVENT_SEGMENT)
    return GST_PAD_PROBE_OK;
  gst_event_copy_segment(event, &segment);
  segment.start = segment.position + t->ahead;
  right = gst_event_new_segment(&segment);
  gst_event_set_seqnum(right, gst_event_get_seqnum(event));
  gst_event_unref(event);
  GST_PAD_PROBE_INFO_DATA(info) = right;
  return GST_PAD_PROBE_REMOVE;
}

void
encoder_keep_first_time(void *sink_pad, void *src_pad)
{
  FirstTime *t = g_atomic_rc_box_new0(FirstTime);

  gst_pad_add_probe(sink_pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note_segment, g_atomic_rc_box_acquire(t),
      g_atomic_rc_box_release);
  gst_pad_add_probe(src_pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, keep_first_time, t, g_atomic_rc_box_release);
}
