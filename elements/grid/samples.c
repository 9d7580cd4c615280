#include "samples.h"

#include <string.h>

typedef struct {
  GstElement parent;
  GstPad *sink, *src;
  SamplesPlan plan;

  /* Used on the streaming thread. */
  GstSegment segment;
  guint64 next;    /* the sample that comes next */
  gint rate, size; /* of the caps: samples a second, bytes of all channels of one; 0 before them */
  gboolean begun, done;
  GstBuffer *doubted; /* its time leaves a hole, and what comes next tells whether that is so; may be NULL */
  gint64 claims;      /* the sample that it begins at by its time */
} GstSampleGrid;

typedef struct {
  GstElementClass parent;
} GstSampleGridClass;

GType gst_sample_grid_get_type(void);
G_DEFINE_TYPE(GstSampleGrid, gst_sample_grid, GST_TYPE_ELEMENT)
#define SAMPLES(o) ((GstSampleGrid *)(o))

#define CAPS "audio/x-raw,format=F32LE,layout=interleaved"

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));

/* Pushes samples as the next ones. Takes the buffer. */
static GstFlowReturn
push(GstSampleGrid *self, GstBuffer *buffer)
{
  guint64 n = gst_buffer_get_size(buffer) / (guint)self->size;

  buffer = gst_buffer_make_writable(buffer);
  GST_BUFFER_PTS(buffer) = gst_util_uint64_scale_round(self->next, GST_SECOND, (guint64)self->rate);
  GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(buffer) = gst_util_uint64_scale_round(n, GST_SECOND, (guint64)self->rate);
  GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_GAP);
  self->next += n;
  return gst_pad_push(self->src, buffer);
}

/* Pushes silence until a sample, a second at a time. */
static GstFlowReturn
silence_until(GstSampleGrid *self, guint64 until)
{
  GstFlowReturn ret = GST_FLOW_OK;

  while (ret == GST_FLOW_OK && self->next < until) {
    guint64 n = MIN(until - self->next, (guint64)self->rate);
    GstBuffer *silence = gst_buffer_new_allocate(NULL, n * (guint)self->size, NULL);

    gst_buffer_memset(silence, 0, 0, n * (guint)self->size);
    ret = push(self, silence);
  }
  return ret;
}

/* Ends the stream where the plan says. Without caps there is nothing to be silent in. */
static GstFlowReturn
finish(GstSampleGrid *self)
{
  GstFlowReturn ret = GST_FLOW_OK;

  if (self->done)
    return GST_FLOW_EOS;
  self->done = TRUE;
  if (self->size > 0)
    ret = silence_until(self, self->plan.end);
  gst_pad_push_event(self->src, gst_event_new_eos());
  return ret == GST_FLOW_OK ? GST_FLOW_EOS : ret;
}

/* By how much times are rounded, by containers, and by decoders to frames. */
static gint64
near(GstSampleGrid *self)
{
  return self->rate / 50;
}

static gint64
samples_in(GstSampleGrid *self, GstBuffer *buffer)
{
  return (gint64)gst_buffer_get_size(buffer) / self->size;
}

/* The sample of the film's time at which a buffer begins; may lie before the film. */
static gint64
begin_of(GstSampleGrid *self, GstBuffer *buffer)
{
  guint64 t = 0;
  gint64 at, ns;
  gint sign = GST_BUFFER_PTS_IS_VALID(buffer)
      ? gst_segment_to_stream_time_full(&self->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer), &t)
      : 0;

  if (sign == 0) /* it follows the one before it */
    return self->doubted == NULL ? (gint64)self->next : self->claims + samples_in(self, self->doubted);
  ns = sign * (gint64)t - self->plan.origin;
  at = (gint64)gst_util_uint64_scale_round((guint64)ABS(ns), (guint64)self->rate, GST_SECOND);
  if (ns < 0)
    at = -at;
  return self->begun && ABS(at - (gint64)self->next) <= near(self) ? (gint64)self->next : at;
}

/* Puts a buffer at a sample: after silence, and without what is there already. Takes the buffer. */
static GstFlowReturn
put(GstSampleGrid *self, GstBuffer *buffer, gint64 at)
{
  gint64 n = samples_in(self, buffer), skip = MAX(0, (gint64)self->next - at), left;
  GstFlowReturn ret;

  if (at >= (gint64)self->plan.end) {
    gst_buffer_unref(buffer);
    return finish(self);
  }
  if (skip >= n) { /* decoded on the way, or there already */
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
  }
  self->begun = TRUE;
  ret = silence_until(self, (guint64)MAX(at, 0));
  left = MIN(n - skip, (gint64)(self->plan.end - self->next));
  if (ret == GST_FLOW_OK && left < n) {
    GstBuffer *part = gst_buffer_copy_region(buffer, GST_BUFFER_COPY_MEMORY, (gsize)(skip * self->size), (gsize)(left * self->size));

    gst_buffer_unref(buffer);
    buffer = part;
  }
  if (ret != GST_FLOW_OK) {
    gst_buffer_unref(buffer);
    return ret;
  }
  ret = push(self, buffer);
  return ret == GST_FLOW_OK && self->next >= self->plan.end ? finish(self) : ret;
}

/* Puts the doubted buffer where its time says, or else behind what came before it. */
static GstFlowReturn
settle(GstSampleGrid *self, gboolean believed)
{
  GstBuffer *buffer = g_steal_pointer(&self->doubted);

  if (believed)
    return put(self, buffer, self->claims);
  if (self->begun)
    return put(self, buffer, (gint64)self->next);
  gst_buffer_unref(buffer); /* nobody knows where it belongs */
  return GST_FLOW_OK;
}

/* A time that leaves a hole is believed when the one after it does not go back behind it: a single wrong one, of a
   damaged film, must neither make silence nor end the sound. */
static GstFlowReturn
chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstSampleGrid *self = SAMPLES(parent);
  GstFlowReturn ret = GST_FLOW_OK;
  gint64 at;

  (void)pad;
  if (self->size == 0) {
    gst_buffer_unref(buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  if (self->doubted != NULL)
    ret = settle(self, begin_of(self, buffer) >= self->claims + samples_in(self, self->doubted) - near(self));
  if (ret == GST_FLOW_OK && self->done)
    ret = finish(self);
  if (ret != GST_FLOW_OK) {
    gst_buffer_unref(buffer);
    return ret;
  }
  at = begin_of(self, buffer);
  if (at > (gint64)(self->begun ? self->next : self->plan.end - 1)) {
    self->doubted = buffer;
    self->claims = at;
    return GST_FLOW_OK;
  }
  return put(self, buffer, at);
}

static gboolean
take_caps(GstSampleGrid *self, GstEvent *event)
{
  const GstStructure *s;
  GstCaps *caps;
  gint channels = 0;

  if (self->doubted != NULL)
    settle(self, TRUE);
  gst_event_parse_caps(event, &caps);
  s = gst_caps_get_structure(caps, 0);
  self->size = 0;
  if (gst_structure_get_int(s, "rate", &self->rate) && gst_structure_get_int(s, "channels", &channels) && self->rate > 0)
    self->size = channels * (gint)sizeof(gfloat);
  return gst_pad_push_event(self->src, event);
}

static gboolean
sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstSampleGrid *self = SAMPLES(parent);
  GstSegment film;

  switch (GST_EVENT_TYPE(event)) {
  case GST_EVENT_CAPS:
    return take_caps(self, event);
  case GST_EVENT_SEGMENT:
    gst_event_copy_segment(event, &self->segment);
    gst_event_unref(event);
    gst_segment_init(&film, GST_FORMAT_TIME);
    return self->begun || gst_pad_push_event(self->src, gst_event_new_segment(&film));
  case GST_EVENT_GAP: /* it becomes silence when what comes after it is known */
    gst_event_unref(event);
    return TRUE;
  case GST_EVENT_EOS:
    gst_event_unref(event);
    if (self->doubted != NULL)
      settle(self, TRUE); /* nothing speaks against it */
    finish(self);
    return TRUE;
  default:
    return gst_pad_event_default(pad, parent, event);
  }
}

static GstStateChangeReturn
change_state(GstElement *element, GstStateChange transition)
{
  GstSampleGrid *self = SAMPLES(element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    gst_segment_init(&self->segment, GST_FORMAT_TIME);
    self->next = self->plan.first;
    self->size = self->rate = 0;
    self->begun = self->done = FALSE;
  }
  ret = GST_ELEMENT_CLASS(gst_sample_grid_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    gst_clear_buffer(&self->doubted);
  return ret;
}

static void
gst_sample_grid_init(GstSampleGrid *self)
{
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_chain_function(self->sink, chain);
  gst_pad_set_event_function(self->sink, sink_event);
  GST_PAD_SET_PROXY_CAPS(self->sink);
  GST_PAD_SET_PROXY_CAPS(self->src);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);
  gst_element_add_pad(GST_ELEMENT(self), self->src);
  self->plan.end = G_MAXINT64;
}

static void
gst_sample_grid_class_init(GstSampleGridClass *klass)
{
  GstElementClass *element = GST_ELEMENT_CLASS(klass);

  element->change_state = change_state;
  gst_element_class_add_static_pad_template(element, &sink_template);
  gst_element_class_add_static_pad_template(element, &src_template);
  gst_element_class_set_static_metadata(element, "Sample grid", "Filter/Audio",
      "Puts samples on the time line of a film without a gap", "the upscaled authors");
}

gboolean
samples_register(void)
{
  GstElementFactory *factory;

  if (!gst_element_register(NULL, "samplegrid", GST_RANK_NONE, gst_sample_grid_get_type()))
    return FALSE;
  /* The registry keeps it to the end; the leaks tracer is to know. */
  factory = gst_element_factory_find("samplegrid");
  GST_OBJECT_FLAG_SET(factory, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  gst_object_unref(factory);
  return TRUE;
}

gboolean
samples_set(void *element, const SamplesPlan *plan)
{
  gboolean is = G_TYPE_CHECK_INSTANCE_TYPE(element, gst_sample_grid_get_type());

  if (is)
    SAMPLES(element)->plan = *plan;
  return is;
}
