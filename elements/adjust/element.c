/* The class: how GStreamer's virtual methods reach the plan. Frames never enter
 * Go; caps do, for which the Go half makes a plan. */
#include "element.h"

#include <stdlib.h>

#include "_cgo_export.h"

G_DEFINE_TYPE(GstAdjust, gst_adjust, GST_TYPE_VIDEO_FILTER)

#define CAPS GST_VIDEO_CAPS_MAKE("{ I420, NV12 }")

/* Takes a plan, or NULL, in place of the one there is: from the next frame on. */
void
adjust_install(GstAdjust *self, AdjustPlan *plan)
{
  AdjustPlan *old;

  GST_OBJECT_LOCK(self);
  old = self->plan;
  self->plan = plan;
  GST_OBJECT_UNLOCK(self);
  if (old != NULL)
    adjust_plan_unref(old);
}

/* Returns the plan with a reference of the caller's, or NULL. */
static AdjustPlan *
current(GstAdjust *self)
{
  AdjustPlan *plan;

  GST_OBJECT_LOCK(self);
  plan = self->plan != NULL ? adjust_plan_ref(self->plan) : NULL;
  GST_OBJECT_UNLOCK(self);
  return plan;
}

static gboolean
set_info(GstVideoFilter *filter, GstCaps *in_caps, GstVideoInfo *in, GstCaps *out_caps, GstVideoInfo *out)
{
  AdjustLayout layout = {
      .width = GST_VIDEO_INFO_WIDTH(in),
      .height = GST_VIDEO_INFO_HEIGHT(in),
      .step = GST_VIDEO_INFO_FORMAT(in) == GST_VIDEO_FORMAT_NV12 ? 2 : 1,
      .matrix = in->colorimetry.matrix,
      .range = in->colorimetry.range,
  };
  char *sentence = goAdjustNegotiate(GST_ADJUST(filter)->go, &layout);

  (void)in_caps, (void)out_caps, (void)out;
  if (sentence == NULL)
    return TRUE;
  GST_ELEMENT_ERROR(filter, LIBRARY, FAILED, ("%s", sentence), (NULL));
  free(sentence);
  return FALSE;
}

/* Hands frames on untouched, not even copied where they are shared, while there
 * is nothing to do to them. */
static GstFlowReturn
submit_input_buffer(GstBaseTransform *base, gboolean discont, GstBuffer *buffer)
{
  GstFlowReturn ret =
      GST_BASE_TRANSFORM_CLASS(gst_adjust_parent_class)->submit_input_buffer(base, discont, buffer);
  gboolean idle;

  GST_OBJECT_LOCK(base);
  idle = GST_ADJUST(base)->plan == NULL;
  GST_OBJECT_UNLOCK(base);
  if (ret == GST_FLOW_OK && idle != gst_base_transform_is_passthrough(base))
    gst_base_transform_set_passthrough(base, idle);
  return ret;
}

/* Whether rows of so many bytes of a plane lie in what is mapped. */
static gboolean
holds(const GstVideoFrame *f, int plane, int bytes, int rows)
{
  /* With a GstVideoMeta each plane is a mapping of its own. */
  const GstMapInfo *map = &f->map[f->meta != NULL ? plane : 0];
  const guint8 *data = GST_VIDEO_FRAME_PLANE_DATA(f, plane);
  int stride = GST_VIDEO_FRAME_PLANE_STRIDE(f, plane);

  return stride >= bytes && data >= map->data &&
      (gsize)(data - map->data) + (gsize)stride * (rows - 1) + bytes <= map->size;
}

static gboolean
describe(AdjustPicture *p, const GstVideoFrame *f)
{
  int i, planes = (int)GST_VIDEO_FRAME_N_PLANES(f);

  p->width = GST_VIDEO_FRAME_WIDTH(f);
  p->height = GST_VIDEO_FRAME_HEIGHT(f);
  p->step = planes == 2 ? 2 : 1;
  if (!holds(f, 0, p->width, p->height))
    return FALSE;
  for (i = 1; i < planes; i++)
    if (!holds(f, i, (p->width + 1) / 2 * p->step, (p->height + 1) / 2))
      return FALSE;
  p->luma = GST_VIDEO_FRAME_PLANE_DATA(f, 0);
  p->cb = GST_VIDEO_FRAME_PLANE_DATA(f, 1);
  p->cr = planes == 2 ? p->cb + 1 : (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(f, 2);
  p->stride = GST_VIDEO_FRAME_PLANE_STRIDE(f, 0);
  p->chroma_stride = GST_VIDEO_FRAME_PLANE_STRIDE(f, 1);
  /* The loops take one stride for both, which GStreamer's own layouts have. */
  return planes == 2 || p->chroma_stride == GST_VIDEO_FRAME_PLANE_STRIDE(f, 2);
}

/* In place of GstVideoFilter's own, which reports success for a frame that cannot
 * be mapped, and so was not worked on. */
static GstFlowReturn
transform_ip(GstBaseTransform *base, GstBuffer *buffer)
{
  GstAdjust *self = GST_ADJUST(base);
  AdjustPlan *plan = current(self);
  AdjustPicture picture;
  GstVideoFrame frame;
  gboolean whole;

  if (plan == NULL)
    return GST_FLOW_OK; /* it became neutral since submit_input_buffer */
  whole = gst_video_frame_map(&frame, &GST_VIDEO_FILTER(base)->in_info, buffer,
      (GstMapFlags)(GST_MAP_READWRITE | GST_VIDEO_FRAME_MAP_FLAG_NO_REF));
  if (whole) {
    whole = describe(&picture, &frame) && picture.width == plan->width && picture.height == plan->height &&
        picture.step == plan->step;
    if (whole)
      adjust_work(plan, &picture, self->frame++);
    gst_video_frame_unmap(&frame);
  }
  adjust_plan_unref(plan);
  if (whole)
    return GST_FLOW_OK;
  GST_ELEMENT_ERROR(base, STREAM, FORMAT, ("a frame does not hold a picture of its caps"), (NULL));
  return GST_FLOW_ERROR;
}

/* The Go half is told before the object is gone, so that no plan comes after. */
static void
finalize(GObject *object)
{
  goAdjustFree(GST_ADJUST(object)->go);
  adjust_install(GST_ADJUST(object), NULL);
  G_OBJECT_CLASS(gst_adjust_parent_class)->finalize(object);
}

static void
gst_adjust_init(GstAdjust *self)
{
  self->go = goAdjustNew(self);
}

static void
gst_adjust_class_init(GstAdjustClass *klass)
{
  GstElementClass *element = GST_ELEMENT_CLASS(klass);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS(klass);
  GstCaps *caps = gst_caps_from_string(CAPS);

  G_OBJECT_CLASS(klass)->finalize = finalize;
  base->submit_input_buffer = submit_input_buffer;
  base->transform_ip = transform_ip;
  base->transform_ip_on_passthrough = FALSE;
  GST_VIDEO_FILTER_CLASS(klass)->set_info = set_info;

  gst_element_class_set_static_metadata(element, "Picture filters", "Filter/Effect/Video",
      "Denoises, sharpens, grades and ages video while it plays", "the upscaled authors");
  gst_element_class_add_pad_template(element, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_add_pad_template(element, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_caps_unref(caps);
}

gboolean
adjust_register(void)
{
  GstElementFactory *factory;

  if (!gst_element_register(NULL, "adjust", GST_RANK_NONE, gst_adjust_get_type()))
    return FALSE;
  /* The registry keeps it to the end; the leaks tracer is to know. */
  factory = gst_element_factory_find("adjust");
  GST_OBJECT_FLAG_SET(factory, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  gst_object_unref(factory);
  return TRUE;
}

/* Returns the handle of the Go half of an element, 0 when it is another's. */
guintptr
adjust_handle(void *element)
{
  return G_TYPE_CHECK_INSTANCE_TYPE(element, gst_adjust_get_type()) ? GST_ADJUST(element)->go : 0;
}
