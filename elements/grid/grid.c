#include "grid.h"

#include <gst/video/video.h>

typedef struct {
  GstElement parent;
  GstPad *sink, *src;
  GridPlan plan;
  gint repeated, dropped, wish; /* atomic; wish: a key frame was asked for */

  /* Used on the streaming thread. */
  GstSegment segment;
  guint64 next;       /* the first segment that has not begun */
  gint64 last;        /* time of the last picture that was pushed, -1 before */
  GstBuffer *held;    /* the last picture that came, pushed or not */
  GstBuffer *waiting; /* the picture that is to be pushed when its end is known: the next one's begin */
  gboolean waiting_key;
  guint keys;
  gboolean done;
} GstSegmentGrid;

typedef struct {
  GstElementClass parent;
} GstSegmentGridClass;

GType gst_segment_grid_get_type(void);
G_DEFINE_TYPE(GstSegmentGrid, gst_segment_grid, GST_TYPE_ELEMENT)
#define GRID(o) ((GstSegmentGrid *)(o))

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw"));

/* What comes out has times from here on; its segment says that this is the film's
 * beginning. x264enc moves what begins earlier up to here, and a GstVideoEncoder
 * (1.22) that has moved times confuses them with those of wishes for key frames
 * until its first picture is out, and then hears no wish any more. */
#define AHEAD (1000 * 3600 * (gint64)GST_SECOND)

/* When segment k begins, rounded to a nanosecond. */
static gint64
begin_of(const GridPlan *p, guint64 k)
{
  return (gint64)gst_util_uint64_scale_round(k * p->ticks, GST_SECOND, p->timescale);
}

/* How far a picture may be from where it belongs: a quarter of a frame. */
static gint64
tolerance(const GridPlan *p)
{
  return p->rate_n > 0 ? (gint64)gst_util_uint64_scale_int(GST_SECOND / 4, p->rate_d, p->rate_n) : 5 * GST_MSECOND;
}

/* Moves a time onto the nearest multiple of a frame if that is near, and what is
 * just before the film onto its beginning. */
static gint64
snapped(const GridPlan *p, gint64 t)
{
  guint64 i;
  gint64 at;

  if (t < 0)
    return t >= -tolerance(p) ? 0 : t;
  if (p->rate_n == 0)
    return t;
  i = gst_util_uint64_scale_round((guint64)t, p->rate_n, (guint64)p->rate_d * GST_SECOND);
  at = (gint64)gst_util_uint64_scale_round(i * p->rate_d, GST_SECOND, p->rate_n);
  return ABS(at - t) <= tolerance(p) ? at : t;
}

/* Pushes the picture that waits for its end, which is now known. */
static GstFlowReturn
push_waiting(GstSegmentGrid *self, gint64 end)
{
  GstBuffer *buffer = self->waiting;
  GstClockTime at;

  if (buffer == NULL)
    return GST_FLOW_OK;
  self->waiting = NULL;
  at = GST_BUFFER_PTS(buffer);
  GST_BUFFER_DURATION(buffer) = (GstClockTime)end - at;
  /* The first is a key frame by itself. */
  if ((g_atomic_int_compare_and_exchange(&self->wish, 1, 0) || self->waiting_key) && self->keys++ > 0)
    gst_pad_push_event(self->src, gst_video_event_new_downstream_force_key_unit(at + AHEAD, at, at, TRUE, self->keys));
  GST_BUFFER_PTS(buffer) = at + AHEAD;
  return gst_pad_push(self->src, buffer);
}

/* Puts a picture at a time of the film. Takes the buffer. */
static GstFlowReturn
put(GstSegmentGrid *self, GstBuffer *buffer, gint64 at, gboolean key)
{
  GstFlowReturn ret = push_waiting(self, at);

  if (ret != GST_FLOW_OK) {
    gst_buffer_unref(buffer);
    return ret;
  }
  self->last = at;
  self->waiting = gst_buffer_make_writable(buffer);
  self->waiting_key = key;
  GST_BUFFER_PTS(self->waiting) = (GstClockTime)at;
  GST_BUFFER_DTS(self->waiting) = GST_CLOCK_TIME_NONE;
  return GST_FLOW_OK;
}

/* Begins every segment before a time with the picture before it. */
static GstFlowReturn
hold_until(GstSegmentGrid *self, gint64 until)
{
  GstFlowReturn ret = GST_FLOW_OK;

  while (ret == GST_FLOW_OK && self->held != NULL && begin_of(&self->plan, self->next) < until) {
    gint64 at = begin_of(&self->plan, self->next++);

    g_atomic_int_inc(&self->repeated);
    ret = put(self, gst_buffer_copy(self->held), at, TRUE);
  }
  return ret;
}

/* Holds the last picture to the end of the film. */
static GstFlowReturn
finish(GstSegmentGrid *self)
{
  GstFlowReturn ret;

  if (self->done)
    return GST_FLOW_EOS;
  self->done = TRUE;
  if (self->held == NULL) {
    GST_ELEMENT_ERROR(self, STREAM, FAILED, ("there is no picture to show"), (NULL));
    return GST_FLOW_ERROR;
  }
  ret = hold_until(self, (gint64)self->plan.end - tolerance(&self->plan));
  if (ret == GST_FLOW_OK)
    ret = push_waiting(self, (gint64)self->plan.end);
  gst_pad_push_event(self->src, gst_event_new_eos());
  return ret == GST_FLOW_OK ? GST_FLOW_EOS : ret;
}

static void
hold(GstSegmentGrid *self, GstBuffer *buffer)
{
  gst_buffer_replace(&self->held, buffer);
}

/* When a buffer belongs, in time of the film. */
static gint64
film_time(GstSegmentGrid *self, GstBuffer *buffer)
{
  guint64 t = 0;
  gint sign = GST_BUFFER_PTS_IS_VALID(buffer)
      ? gst_segment_to_stream_time_full(&self->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer), &t)
      : 0;

  if (sign == 0)
    return self->last + 1; /* decoders give each a time; see times.c of the pipeline */
  return snapped(&self->plan, sign * (gint64)t - self->plan.origin);
}

static GstFlowReturn
chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstSegmentGrid *self = GRID(parent);
  const GridPlan *p = &self->plan;
  gint64 near = tolerance(p), at = film_time(self, buffer);
  gboolean key = FALSE;
  GstFlowReturn ret;

  (void)pad;
  if (self->done || at >= (gint64)p->end - near) {
    g_atomic_int_inc(&self->dropped);
    if (self->held == NULL)
      hold(self, buffer);
    gst_buffer_unref(buffer);
    return finish(self);
  }
  if (at < begin_of(p, p->first) - near) { /* decoded on the way to where the run begins */
    hold(self, buffer);
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
  }
  if (self->last < 0 && self->held == NULL && at > begin_of(p, p->first))
    at = begin_of(p, p->first); /* nothing to show before it */
  if (at <= self->last) {
    g_atomic_int_inc(&self->dropped);
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
  }
  ret = hold_until(self, at - near);
  if (ret != GST_FLOW_OK) {
    gst_buffer_unref(buffer);
    return ret;
  }
  if (at <= self->last) { /* a boundary that lay near took its time */
    g_atomic_int_inc(&self->dropped);
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
  }
  if (ABS(at - begin_of(p, self->next)) <= near) {
    at = begin_of(p, self->next++);
    key = TRUE;
  }
  hold(self, buffer);
  return put(self, buffer, at, key);
}

static gboolean
sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstSegmentGrid *self = GRID(parent);
  GstSegment film;

  switch (GST_EVENT_TYPE(event)) {
  case GST_EVENT_SEGMENT:
    gst_event_copy_segment(event, &self->segment);
    gst_event_unref(event);
    gst_segment_init(&film, GST_FORMAT_TIME);
    film.start = film.position = AHEAD;
    return self->last >= 0 || gst_pad_push_event(self->src, gst_event_new_segment(&film));
  case GST_EVENT_GAP: /* the picture before it is held */
    gst_event_unref(event);
    return TRUE;
  case GST_EVENT_EOS:
    gst_event_unref(event);
    finish(self);
    return TRUE;
  default:
    return gst_pad_event_default(pad, parent, event);
  }
}

static void
reset(GstSegmentGrid *self)
{
  gst_buffer_replace(&self->held, NULL);
  gst_buffer_replace(&self->waiting, NULL);
  gst_segment_init(&self->segment, GST_FORMAT_TIME);
  self->next = self->plan.first;
  self->last = -1;
  self->keys = 0;
  self->done = FALSE;
}

static GstStateChangeReturn
change_state(GstElement *element, GstStateChange transition)
{
  GstSegmentGrid *self = GRID(element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    reset(self);
  ret = GST_ELEMENT_CLASS(gst_segment_grid_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    reset(self);
  return ret;
}

static void
gst_segment_grid_init(GstSegmentGrid *self)
{
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_chain_function(self->sink, chain);
  gst_pad_set_event_function(self->sink, sink_event);
  GST_PAD_SET_PROXY_CAPS(self->sink);
  GST_PAD_SET_PROXY_ALLOCATION(self->sink);
  GST_PAD_SET_PROXY_CAPS(self->src);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);
  gst_element_add_pad(GST_ELEMENT(self), self->src);
  self->plan.timescale = self->plan.ticks = self->plan.rate_d = 1;
  self->plan.end = G_MAXINT64;
}

static void
gst_segment_grid_class_init(GstSegmentGridClass *klass)
{
  GstElementClass *element = GST_ELEMENT_CLASS(klass);

  element->change_state = change_state;
  gst_element_class_add_static_pad_template(element, &sink_template);
  gst_element_class_add_static_pad_template(element, &src_template);
  gst_element_class_set_static_metadata(element, "Segment grid", "Filter/Video",
      "Puts pictures on the time line of a film in segments", "the upscaled authors");
}

gboolean
grid_register(void)
{
  GstElementFactory *factory;

  if (!gst_element_register(NULL, "segmentgrid", GST_RANK_NONE, gst_segment_grid_get_type()))
    return FALSE;
  /* The registry keeps it to the end; the leaks tracer is to know. */
  factory = gst_element_factory_find("segmentgrid");
  GST_OBJECT_FLAG_SET(factory, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  gst_object_unref(factory);
  return TRUE;
}

static gboolean
is_grid(void *element)
{
  return G_TYPE_CHECK_INSTANCE_TYPE(element, gst_segment_grid_get_type());
}

gboolean
grid_set(void *element, const GridPlan *plan)
{
  if (is_grid(element))
    GRID(element)->plan = *plan;
  return is_grid(element);
}

gboolean
grid_stats(void *element, GridStats *stats)
{
  if (is_grid(element)) {
    stats->repeated = (guint)g_atomic_int_get(&GRID(element)->repeated);
    stats->dropped = (guint)g_atomic_int_get(&GRID(element)->dropped);
  }
  return is_grid(element);
}

void
grid_key_frame(void *element)
{
  if (is_grid(element))
    g_atomic_int_set(&GRID(element)->wish, 1);
}
