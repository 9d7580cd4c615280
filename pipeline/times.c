#include "glue.h"

/* The pictures that have passed a pad. Used on its streaming thread. */
typedef struct {
  gboolean steady;
  GstClockTime last, end; /* when the last one begins and ends */
  guint off;              /* pictures in a row whose own time was not taken */
} Times;

/* A picture is this long when nothing tells. */
#define USUAL (GST_SECOND / 25)

/* So many pictures may a guessed time be off, and so many in a row may have
 * guessed times: a group of pictures is 15 in most streams. */
#define GUESSED 15

static gboolean
believable(const Times *t, GstClockTime pts, GstClockTime length)
{
  GstClockTimeDiff off;

  if (!GST_CLOCK_TIME_IS_VALID(pts))
    return FALSE;
  if (!GST_CLOCK_TIME_IS_VALID(t->last))
    return TRUE;
  off = GST_CLOCK_DIFF(t->end, pts);
  if (t->steady && t->off < GUESSED && ABS(off) > (gint64)length * 3 / 4 && ABS(off) < (gint64)length * GUESSED)
    return FALSE;
  return pts > t->last;
}

static GstPadProbeReturn
order_times(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Times *t = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  GstClockTime length = GST_BUFFER_DURATION_IS_VALID(buffer) && GST_BUFFER_DURATION(buffer) > 0 ? GST_BUFFER_DURATION(buffer) : USUAL;

  (void)pad;
  if (believable(t, GST_BUFFER_PTS(buffer), length)) {
    t->last = GST_BUFFER_PTS(buffer);
    t->off = 0;
  } else {
    buffer = gst_buffer_make_writable(buffer);
    t->last = GST_CLOCK_TIME_IS_VALID(t->last) ? t->end : 0;
    t->off++;
    GST_BUFFER_PTS(buffer) = t->last;
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
  }
  t->end = t->last + length;
  return GST_PAD_PROBE_OK;
}

void
pad_order_times(void *pad, gboolean steady)
{
  Times *t = g_new0(Times, 1);

  t->steady = steady;
  t->last = t->end = GST_CLOCK_TIME_NONE;
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, order_times, t, g_free);
}

static GstPadProbeReturn
time_sound(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);

  (void)pad, (void)data;
  if (GST_BUFFER_PTS_IS_VALID(buffer) || !GST_BUFFER_DTS_IS_VALID(buffer))
    return GST_PAD_PROBE_OK;
  buffer = gst_buffer_make_writable(buffer);
  GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer);
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  return GST_PAD_PROBE_OK;
}

void
pad_time_sound(void *pad)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, time_sound, NULL, NULL);
}
