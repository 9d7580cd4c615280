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

/* What a picture came with. */
typedef struct {
  GstClockTime pts, dts;
} Stamp;

/* A parser holds fewer pictures than this. */
#define HELD 64

/* The pictures that went into a parser and have not come out, the earliest first.
 * Used on its streaming thread. */
typedef struct {
  Stamp stamps[HELD];
  guint first, n;
} Stamps;

static const Stamp *
stamp(const Stamps *s, guint i)
{
  return &s->stamps[(s->first + i) % HELD];
}

static void
forget(Stamps *s, guint n)
{
  s->first = (s->first + n) % HELD;
  s->n -= n;
}

static GstPadProbeReturn
note_stamp(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Stamps *s = data;
  const GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);

  (void)pad;
  if (s->n == HELD)
    forget(s, 1);
  s->stamps[(s->first + s->n++) % HELD] = (Stamp){GST_BUFFER_PTS(buffer), GST_BUFFER_DTS(buffer)};
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
keep_stamp(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Stamps *s = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);

  (void)pad;
  if (GST_BUFFER_PTS_IS_VALID(buffer)) {
    for (guint i = 0; i < s->n; i++) {
      if (stamp(s, i)->pts == GST_BUFFER_PTS(buffer)) {
        forget(s, i + 1);
        break;
      }
    }
  } else if (s->n > 0) {
    buffer = gst_buffer_make_writable(buffer);
    GST_BUFFER_PTS(buffer) = stamp(s, 0)->pts;
    GST_BUFFER_DTS(buffer) = stamp(s, 0)->dts;
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
    forget(s, 1);
  }
  return GST_PAD_PROBE_OK;
}

void
parser_keep_stamps(void *sink_pad, void *src_pad)
{
  Stamps *s = g_atomic_rc_box_new0(Stamps);

  gst_pad_add_probe(sink_pad, GST_PAD_PROBE_TYPE_BUFFER, note_stamp, g_atomic_rc_box_acquire(s), g_atomic_rc_box_release);
  gst_pad_add_probe(src_pad, GST_PAD_PROBE_TYPE_BUFFER, keep_stamp, s, g_atomic_rc_box_release);
}
