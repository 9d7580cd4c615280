#include "element.h"

#include <stdlib.h>

#include "_cgo_export.h"

typedef struct {
  GstVideoFilter parent;
  guintptr go; /* runtime/cgo.Handle of the Go half, valid from init to finalize */
} GstUpscale;

typedef struct {
  GstVideoFilterClass parent_class;
} GstUpscaleClass;

G_DEFINE_TYPE(GstUpscale, gst_upscale, GST_TYPE_VIDEO_FILTER)

#define GST_UPSCALE(obj) ((GstUpscale *)(obj))
#define CAPS                                                       \
  GST_VIDEO_CAPS_MAKE("{ I420, NV12, I420_10LE, P010_10LE, RGB }") \
  ", interlace-mode=(string)progressive"

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

/* Replaces a width or height in a structure by itself times num / den.
 * Returns FALSE when no multiple of den lies in it. */
static gboolean
scale_side(GstStructure *s, const char *side, int num, int den)
{
  const GValue *v = gst_structure_get_value(s, side);
  int lo, hi;

  if (v == NULL)
    return TRUE;
  if (G_VALUE_HOLDS_INT(v)) {
    lo = hi = g_value_get_int(v);
  } else if (GST_VALUE_HOLDS_INT_RANGE(v)) {
    lo = gst_value_get_int_range_min(v);
    hi = gst_value_get_int_range_max(v);
  } else {
    lo = 1;
    hi = G_MAXINT;
  }
  lo = (int)MIN(((gint64)lo * num + den - 1) / den, G_MAXINT);
  hi = (int)MIN((gint64)hi * num / den, G_MAXINT);
  if (lo > hi)
    return FALSE;
  if (lo == hi)
    gst_structure_set(s, side, G_TYPE_INT, lo, NULL);
  else
    gst_structure_set(s, side, GST_TYPE_INT_RANGE, lo, hi, NULL);
  return TRUE;
}

/* Names the colours of fixed caps that do not: what they mean otherwise
 * depends on the height, which differs on the two sides. */
static void
name_colours(GstCaps *caps, guint i)
{
  GstStructure *s = gst_caps_get_structure(caps, i);
  GstCaps *one;
  GstVideoInfo info;
  char *colorimetry;

  if (gst_structure_has_field(s, "colorimetry"))
    return;
  one = gst_caps_copy_nth(caps, i);
  if (gst_caps_is_fixed(one) && gst_video_info_from_caps(&info, one)) {
    colorimetry = gst_video_colorimetry_to_string(&info.colorimetry);
    if (colorimetry != NULL)
      gst_structure_set(s, "colorimetry", G_TYPE_STRING, colorimetry, NULL);
    g_free(colorimetry);
  }
  gst_caps_unref(one);
}

static GstCaps *
transform_caps(GstBaseTransform *base, GstPadDirection from, GstCaps *caps, GstCaps *filter)
{
  int scale = goUpscaleScale(GST_UPSCALE(base)->go);
  int num = from == GST_PAD_SINK ? scale : 1;
  int den = from == GST_PAD_SINK ? 1 : scale;
  GstCaps *out = gst_caps_new_empty();
  guint i;

  caps = gst_caps_copy(caps);
  for (i = 0; i < gst_caps_get_size(caps); i++) {
    GstStructure *s;
    GstCapsFeatures *features = gst_caps_features_copy(gst_caps_get_features(caps, i));

    if (from == GST_PAD_SINK)
      name_colours(caps, i);
    s = gst_structure_copy(gst_caps_get_structure(caps, i));
    if (scale_side(s, "width", num, den) && scale_side(s, "height", num, den)) {
      gst_caps_append_structure_full(out, s, features);
    } else {
      gst_structure_free(s);
      gst_caps_features_free(features);
    }
  }
  gst_caps_unref(caps);
  if (filter != NULL) {
    GstCaps *both = gst_caps_intersect_full(filter, out, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(out);
    out = both;
  }
  return out;
}

static gboolean
set_info(GstVideoFilter *filter, GstCaps *in_caps, GstVideoInfo *in, GstCaps *out_caps, GstVideoInfo *out)
{
  UpscaleLayout layout = {
      .format = GST_VIDEO_INFO_NAME(in),
      .width = GST_VIDEO_INFO_WIDTH(in),
      .height = GST_VIDEO_INFO_HEIGHT(in),
      .matrix = in->colorimetry.matrix,
      .range = in->colorimetry.range,
      .site = in->chroma_site,
  };
  GstUpscale *self = GST_UPSCALE(filter);

  (void)in_caps, (void)out_caps, (void)out;
  return succeeded(self, goUpscaleSetLayout(self->go, &layout));
}

static void
describe(UpscalePicture *p, const GstVideoFrame *f)
{
  guint i;

  p->planes = (int)GST_VIDEO_FRAME_N_PLANES(f);
  for (i = 0; i < GST_VIDEO_FRAME_N_PLANES(f) && i < 3; i++) {
    gint comp[GST_VIDEO_MAX_COMPONENTS];

    gst_video_format_info_component(f->info.finfo, i, comp);
    p->data[i] = GST_VIDEO_FRAME_PLANE_DATA(f, i);
    p->stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(f, i);
    p->rows[i] = GST_VIDEO_FRAME_COMP_HEIGHT(f, comp[0]);
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

/* Metas that follow the picture's size are moved along; every other is
 * copied as it is, for it belongs to the same moment. */
static gboolean
transform_meta(GstBaseTransform *base, GstBuffer *dst, GstMeta *meta, GstBuffer *src)
{
  const GstMetaInfo *info = meta->info;

  if (gst_meta_api_type_has_tag(info->api, GST_META_TAG_MEMORY))
    return FALSE;
  if (gst_meta_api_type_has_tag(info->api, g_quark_from_static_string(GST_META_TAG_VIDEO_SIZE_STR))) {
    GstVideoFilter *filter = GST_VIDEO_FILTER(base);
    GstVideoMetaTransform scale = {.in_info = &filter->in_info, .out_info = &filter->out_info};

    if (info->transform_func != NULL)
      info->transform_func(dst, meta, src, gst_video_meta_transform_scale_get_quark(), &scale);
    return FALSE; /* done here */
  }
  return TRUE;
}

static GstStructure *
stats(GstUpscale *self)
{
  UpscaleStats s = {0};
  GstStructure *out;

  goUpscaleStats(self->go, &s);
  out = gst_structure_new("application/x-upscale-stats", "upscaled", G_TYPE_UINT64, s.upscaled, "failed",
      G_TYPE_UINT64, s.failed, "inference-median-ms", G_TYPE_DOUBLE, s.median_ms, "inference-p95-ms", G_TYPE_DOUBLE,
      s.p95_ms, "model", G_TYPE_STRING, s.model, "provider", G_TYPE_STRING, s.provider, NULL);
  free(s.model);
  free(s.provider);
  return out;
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpscale *self = GST_UPSCALE(object);
  char *sentence = NULL;

  switch (G_PARAM_SPEC_VALUE_TYPE(pspec)) {
  case G_TYPE_STRING:
    sentence = goUpscaleSetString(self->go, (int)id, (char *)g_value_get_string(value));
    break;
  case G_TYPE_INT:
    sentence = goUpscaleSetInt(self->go, (int)id, g_value_get_int(value));
    break;
  case G_TYPE_DOUBLE:
    sentence = goUpscaleSetDouble(self->go, (int)id, g_value_get_double(value));
    break;
  case G_TYPE_BOOLEAN:
    sentence = goUpscaleSetInt(self->go, (int)id, g_value_get_boolean(value));
    gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(self), g_value_get_boolean(value));
    gst_base_transform_reconfigure_sink(GST_BASE_TRANSFORM(self));
    gst_base_transform_reconfigure_src(GST_BASE_TRANSFORM(self));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
  if (sentence != NULL) { /* what ran before runs on: a warning, not an error */
    GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS, ("%s", sentence), (NULL));
    free(sentence);
  }
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpscale *self = GST_UPSCALE(object);

  if (id == PROP_STATS) {
    g_value_take_boxed(value, stats(self));
    return;
  }
  switch (G_PARAM_SPEC_VALUE_TYPE(pspec)) {
  case G_TYPE_STRING: {
    char *s = goUpscaleGetString(self->go, (int)id);
    g_value_set_string(value, s);
    free(s);
    break;
  }
  case G_TYPE_INT:
    g_value_set_int(value, goUpscaleGetInt(self->go, (int)id));
    break;
  case G_TYPE_DOUBLE:
    g_value_set_double(value, goUpscaleGetDouble(self->go, (int)id));
    break;
  case G_TYPE_BOOLEAN:
    g_value_set_boolean(value, goUpscaleGetInt(self->go, (int)id));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
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
  GstBaseTransformClass *transform = GST_BASE_TRANSFORM_CLASS(klass);
  GstVideoFilterClass *filter = GST_VIDEO_FILTER_CLASS(klass);
  GstCaps *caps = gst_caps_from_string(CAPS);
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  object->set_property = set_property;
  object->get_property = get_property;
  object->finalize = finalize;
  element->change_state = change_state;
  transform->transform_caps = transform_caps;
  transform->transform_meta = transform_meta;
  transform->passthrough_on_same_caps = FALSE;
  filter->set_info = set_info;
  filter->transform_frame = transform_frame;

  g_object_class_install_property(object, PROP_MODEL,
      g_param_spec_string("model", "Model", "Id of a known model, or path of an ONNX file. While PLAYING only to one of the same scale",
          "swift-s-x2", playing));
  g_object_class_install_property(object, PROP_PROVIDER,
      g_param_spec_string("provider", "Provider", "auto, cuda, tensorrt, openvino, webgpu or cpu", "auto", ready));
  g_object_class_install_property(object, PROP_DEVICE,
      g_param_spec_int("device", "Device", "Number of the provider's device", 0, 255, 0, ready));
  g_object_class_install_property(object, PROP_PRECISION,
      g_param_spec_string("precision", "Precision", "auto, fp32 or fp16", "auto", ready));
  g_object_class_install_property(object, PROP_THREADS,
      g_param_spec_int("threads", "Threads", "Threads of the CPU provider, 0 for one a core", 0, 1024, 0, ready));
  g_object_class_install_property(object, PROP_TILE,
      g_param_spec_int("tile", "Tile", "Side of the square tiles a frame is cut into, in pixels; 0 for none unless the model needs it", 0, 16384, 0, ready));
  g_object_class_install_property(object, PROP_STRENGTH,
      g_param_spec_double("strength", "Strength", "Share of the model in its mix with a bicubic upscale", 0, 1, 1, playing));
  g_object_class_install_property(object, PROP_PASSTHROUGH,
      g_param_spec_boolean("passthrough", "Passthrough", "Hand frames on at their own size", FALSE, playing));
  g_object_class_install_property(object, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics", "Frames counted, inference times in milliseconds, model and provider that run",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

  gst_element_class_set_static_metadata(element, "ONNX super-resolution", "Filter/Effect/Video",
      "Upscales video with an ONNX super-resolution model", "the upscaled authors");
  gst_element_class_add_pad_template(element, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_add_pad_template(element, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_caps_unref(caps);
}

gboolean
upscale_register(void)
{
  return gst_element_register(NULL, "upscale", GST_RANK_NONE, gst_upscale_get_type());
}

guintptr
upscale_handle(void *element)
{
  return G_TYPE_CHECK_INSTANCE_TYPE(element, gst_upscale_get_type()) ? GST_UPSCALE(element)->go : 0;
}
