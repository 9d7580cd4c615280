#include "steady.h"

static GstPadProbeReturn
watch_size(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Steady *s = data;
  gint width = 0, height = 0, num = 1, den = 1;
  const GstStructure *fields;
  GstCaps *caps;

  (void)pad;
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
    s->shown = TRUE;
    return steady_changed(s) ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
  }
  if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_CAPS || steady_changed(s))
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps(GST_PAD_PROBE_INFO_EVENT(info), &caps);
  fields = gst_caps_get_structure(caps, 0);
  gst_structure_get_int(fields, "width", &width);
  gst_structure_get_int(fields, "height", &height);
  gst_structure_get_fraction(fields, "pixel-aspect-ratio", &num, &den);
  if (s->shown && (width != s->width || height != s->height || (gint64)num * s->den != (gint64)s->num * den)) {
    s->now_width = width;
    s->now_height = height;
    s->now_num = num;
    s->now_den = den;
    g_atomic_int_set(&s->changed, TRUE);
    return GST_PAD_PROBE_DROP;
  }
  s->width = width;
  s->height = height;
  s->num = num;
  s->den = den;
  return GST_PAD_PROBE_OK;
}

Steady *
steady_new(void *pad)
{
  Steady *s = g_new0(Steady, 1);

  s->pad = gst_object_ref(pad);
  s->probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, watch_size, s, NULL);
  return s;
}

gboolean
steady_changed(Steady *s)
{
  return g_atomic_int_get(&s->changed);
}

void
steady_free(Steady *s)
{
  gst_pad_remove_probe(s->pad, s->probe);
  gst_object_unref(s->pad);
  g_free(s);
}
