/* The class: how GStreamer's virtual methods reach the Go half. */
#include "element.h"

#include <stdlib.h>

#include "_cgo_export.h"

G_DEFINE_TYPE(GstUpscale, gst_upscale, GST_TYPE_VIDEO_FILTER)

#define CAPS GST_VIDEO_CAPS_MAKE("{ I420, NV12, I420_10LE, P010_10LE, RGB }")

/* Posts the sentence of a failed call as an element error and frees it.
 * Returns TRUE when there was none. */
static gboolean
succeeded(GstUpscale *self, char *sentence)
{
  if (sentence == NULL)
    return TRUE;
  GST_ELEMENT_ERROR(self, LIBRARY, FAILED, ("%s", sentence), (NULL));
  free(sentence);
  return FALSE;
}

static GstStateChangeReturn
change_state(GstElement *element, GstStateChange transition)
{
  GstUpscale *self = GST_UPSCALE(element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !succeeded(self, goUpscaleOpen(self->go)))
    return GST_STATE_CHANGE_FAILURE;
  ret = GST_ELEMENT_CLASS(gst_upscale_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL ||
      (transition == GST_STATE_CHANGE_NULL_TO_READY && ret == GST_STATE_CHANGE_FAILURE))
    goUpscaleClose(self->go);
  return ret;
}

static gboolean
start(GstBaseTransform *base)
{
  return succeeded(GST_UPSCALE(base), goUpscaleStart(GST_UPSCALE(base)->go));
}

static gboolean
stop(GstBaseTransform *base)
{
  goUpscaleStop(GST_UPSCALE(base)->go);
  return TRUE;
}

static GstCaps *
transform_caps(GstBaseTransform *base, GstPadDirection from, GstCaps *caps, GstCaps *filter)
{
  GstCaps *out = upscale_scale_caps(caps, from, goUpscaleScale(GST_UPSCALE(base)->go));

  if (filter != NULL) {
    GstCaps *both = gst_caps_intersect_full(filter, out, GST_CAPS_INTERSECT_FIRST);

    gst_caps_unref(out);
    out = both;
  }
  return out;
}

/* Completes what leaves, when what comes is decided. */
static GstCaps *
fixate_caps(GstBaseTransform *base, GstPadDirection from, GstCaps *caps, GstCaps *other)
{
  other = GST_BASE_TRANSFORM_CLASS(gst_upscale_parent_class)->fixate_caps(base, from, caps, other);
  return from == GST_PAD_SINK && gst_caps_is_fixed(other) ? upscale_name_colours(caps, other) : other;
}

/* Remembers what one frame adds to the latency, and has it asked for again
 * when that is another than before. */
static void
set_frame_time(GstUpscale *self, GstClockTime t)
{
  GstClockTime old;

  GST_OBJECT_LOCK(self);
  old = self->frame_time;
  self->frame_time = t;
  GST_OBJECT_UNLOCK(self);
  if (old != t)
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

static gboolean
set_info(GstVideoFilter *filter, GstCaps *in_caps, GstVideoInfo *in, GstCaps *out_caps, GstVideoInfo *out)
{
  GstUpscale *self = GST_UPSCALE(filter);
  UpscaleLayout layout = {
      .format = GST_VIDEO_INFO_NAME(in),
      .width = GST_VIDEO_INFO_WIDTH(in),
      .height = GST_VIDEO_INFO_HEIGHT(in),
      .out_width = GST_VIDEO_INFO_WIDTH(out),
      .out_height = GST_VIDEO_INFO_HEIGHT(out),
      .interlaced = GST_VIDEO_INFO_IS_INTERLACED(in),
      .matrix = in->colorimetry.matrix,
      .range = in->colorimetry.range,
      .site = in->chroma_site,
  };
  GstClockTime t = 0;

  (void)in_caps, (void)out_caps;
  if (!succeeded(self, goUpscaleNegotiate(self->go, &layout)))
    return FALSE;
  if (!layout.plain && GST_VIDEO_INFO_FPS_N(in) > 0)
    t = gst_util_uint64_scale_int(GST_SECOND, GST_VIDEO_INFO_FPS_D(in), GST_VIDEO_INFO_FPS_N(in));
  set_frame_time(self, t);
  gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(self), layout.plain);
  return TRUE;
}

/* A filter that keeps up with a live source has each frame in work for at most
 * the time of one frame, and may need all of it. */
static gboolean
query(GstBaseTransform *base, GstPadDirection direction, GstQuery *q)
{
  GstClockTime least, most, t;
  gboolean live;

  if (!GST_BASE_TRANSFORM_CLASS(gst_upscale_parent_class)->query(base, direction, q))
    return FALSE;
  if (GST_QUERY_TYPE(q) != GST_QUERY_LATENCY || direction != GST_PAD_SRC)
    return TRUE;
  gst_query_parse_latency(q, &live, &least, &most);
  GST_OBJECT_LOCK(base);
  t = GST_UPSCALE(base)->frame_time;
  GST_OBJECT_UNLOCK(base);
  if (live)
    gst_query_set_latency(q, live, least + t, GST_CLOCK_TIME_IS_VALID(most) ? most + t : most);
  return TRUE;
}

/* Counts the frames that no model makes: those that come too late for QoS and
 * those that are handed on. */
static GstFlowReturn
submit_input_buffer(GstBaseTransform *base, gboolean discont, GstBuffer *buffer)
{
  GstFlowReturn ret =
      GST_BASE_TRANSFORM_CLASS(gst_upscale_parent_class)->submit_input_buffer(base, discont, buffer);
  guintptr go = GST_UPSCALE(base)->go;
  gboolean plain;

  if (ret == GST_BASE_TRANSFORM_FLOW_DROPPED)
    goUpscaleDropped(go);
  if (ret != GST_FLOW_OK)
    return ret;
  /* The caps of a model of scale 1 are the same in passthrough, so that no
   * set_info tells of the switch. */
  plain = goUpscalePlain(go);
  if (plain != gst_base_transform_is_passthrough(base))
    gst_base_transform_set_passthrough(base, plain);
  return ret;
}

static void
describe(UpscalePicture *p, const GstVideoFrame *f)
{
  int i;

  p->width = GST_VIDEO_FRAME_WIDTH(f);
  p->height = GST_VIDEO_FRAME_HEIGHT(f);
  p->planes = MIN((int)GST_VIDEO_FRAME_N_PLANES(f), 3);
  for (i = 0; i < p->planes; i++) {
    /* With a GstVideoMeta each plane is a mapping of its own. */
    const GstMapInfo *map = &f->map[f->meta != NULL ? i : 0];

    p->data[i] = GST_VIDEO_FRAME_PLANE_DATA(f, i);
    p->size[i] = map->data + map->size - (guint8 *)p->data[i];
    p->stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(f, i);
  }
}

static GstFlowReturn
transform_frame(GstVideoFilter *filter, GstVideoFrame *in, GstVideoFrame *out)
{
  GstUpscale *self = GST_UPSCALE(filter);
  UpscalePicture src, dst;

  describe(&src, in);
  describe(&dst, out);
  return succeeded(self, goUpscaleFrame(self->go, &src, &dst)) ? GST_FLOW_OK : GST_FLOW_ERROR;
}

/* In place of GstVideoFilter's own, which lets an output buffer that nobody
 * wrote to go downstream when a frame cannot be mapped. */
static GstFlowReturn
transform(GstBaseTransform *base, GstBuffer *in, GstBuffer *out)
{
  GstVideoFilter *filter = GST_VIDEO_FILTER(base);
  GstVideoFrame from, to;
  GstFlowReturn ret;

  if (!gst_video_frame_map(&from, &filter->in_info, in, GST_MAP_READ)) {
    GST_ELEMENT_ERROR(base, STREAM, FORMAT, ("a frame does not hold a picture of its caps"), (NULL));
    return GST_FLOW_ERROR;
  }
  if (!gst_video_frame_map(&to, &filter->out_info, out, GST_MAP_WRITE)) {
    gst_video_frame_unmap(&from);
    GST_ELEMENT_ERROR(base, RESOURCE, WRITE, ("a frame of the next element's cannot be written to"), (NULL));
    return GST_FLOW_ERROR;
  }
  ret = transform_frame(filter, &from, &to);
  gst_video_frame_unmap(&to);
  gst_video_frame_unmap(&from);
  return ret;
}

/* Metas that follow the size of the picture are scaled along; every other is
 * copied as it is, for it belongs to the same moment. GstBaseTransform has
 * left out those that describe the memory. */
static gboolean
transform_meta(GstBaseTransform *base, GstBuffer *out, GstMeta *meta, GstBuffer *in)
{
  GstVideoFilter *filter = GST_VIDEO_FILTER(base);
  GstVideoMetaTransform scale = {.in_info = &filter->in_info, .out_info = &filter->out_info};
  const GstMetaInfo *info = meta->info;

  if (!gst_meta_api_type_has_tag(info->api, g_quark_from_static_string(GST_META_TAG_VIDEO_SIZE_STR)))
    return TRUE;
  if (info->transform_func != NULL)
    info->transform_func(out, meta, in, gst_video_meta_transform_scale_get_quark(), &scale);
  return FALSE; /* it is done */
}

static void
finalize(GObject *object)
{
  goUpscaleFree(GST_UPSCALE(object)->go);
  G_OBJECT_CLASS(gst_upscale_parent_class)->finalize(object);
}

static void
gst_upscale_init(GstUpscale *self)
{
  self->go = goUpscaleNew();
}

static void
gst_upscale_class_init(GstUpscaleClass *klass)
{
  GObjectClass *object = G_OBJECT_CLASS(klass);
  GstElementClass *element = GST_ELEMENT_CLASS(klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS(klass);
  GstCaps *caps = gst_caps_from_string(CAPS);

  object->set_property = upscale_set_property;
  object->get_property = upscale_get_property;
  object->finalize = finalize;
  element->change_state = change_state;
  base->start = start;
  base->stop = stop;
  base->transform_caps = transform_caps;
  base->fixate_caps = fixate_caps;
  base->query = query;
  base->submit_input_buffer = submit_input_buffer;
  base->transform = transform;
  base->transform_meta = transform_meta;
  base->passthrough_on_same_caps = FALSE; /* a model of scale 1 works too */
  GST_VIDEO_FILTER_CLASS(klass)->set_info = set_info;
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame = transform_frame; /* without one it would work in place */
  upscale_install_properties(object);

  gst_element_class_set_static_metadata(element, "ONNX super-resolution", "Filter/Effect/Video",
      "Upscales video with an ONNX super-resolution model", "the upscaled authors");
  gst_element_class_add_pad_template(element, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_add_pad_template(element, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_caps_unref(caps);
}

gboolean
upscale_register(void)
{
  GstElementFactory *factory;

  if (!gst_element_register(NULL, "upscale", GST_RANK_NONE, gst_upscale_get_type()))
    return FALSE;
  /* The registry keeps it to the end; the leaks tracer is to know. */
  factory = gst_element_factory_find("upscale");
  GST_OBJECT_FLAG_SET(factory, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  gst_object_unref(factory);
  return TRUE;
}

/* Returns the handle of the Go half of an element, 0 when it is another's. */
guintptr
upscale_handle(void *element)
{
  return G_TYPE_CHECK_INSTANCE_TYPE(element, gst_upscale_get_type()) ? GST_UPSCALE(element)->go : 0;
}
