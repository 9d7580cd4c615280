#include "glue.h"

/* The size of the pictures that have passed a pad. Used on its streaming thread. */
typedef struct {
  int width, height, num, den;
} Size;

static GstPadProbeReturn
keep_size(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Size *first = data, now = {0, 0, 1, 1};
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  GstElement *element;
  GstCaps *caps;
  GstStructure *s;

  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps(event, &caps);
  s = gst_caps_get_structure(caps, 0);
  gst_structure_get_int(s, "width", &now.width);
  gst_structure_get_int(s, "height", &now.height);
  gst_structure_get_fraction(s, "pixel-aspect-ratio", &now.num, &now.den);
  if (first->width == 0)
    *first = now;
  if (first->width == now.width && first->height == now.height && (gint64)first->num * now.den == (gint64)now.num * first->den)
    return GST_PAD_PROBE_OK;
  element = gst_pad_get_parent_element(pad);
  if (element != NULL) {
    GST_ELEMENT_ERROR(element, STREAM, FORMAT, ("from %dx%d with pixels of %d:%d to %dx%d with %d:%d", first->width, first->height,
        first->num, first->den, now.width, now.height, now.num, now.den), ("size changed"));
    gst_object_unref(element);
  }
  return GST_PAD_PROBE_DROP;
}

void
pad_keep_size(void *pad)
{
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, keep_size, g_new0(Size, 1), g_free);
}
