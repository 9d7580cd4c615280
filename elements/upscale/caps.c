/* Caps of one side of the element made of those of the other. */
#include "element.h"

/* Sets out to v times num / den: a number, a range or a list of both. Returns
 * FALSE, and leaves out as it is, when no whole number of pixels is left. */
static gboolean
scale_value(GValue *out, const GValue *v, gint64 num, gint64 den)
{
  gint64 low, high;
  guint i;

  if (GST_VALUE_HOLDS_LIST(v)) {
    g_value_init(out, GST_TYPE_LIST);
    for (i = 0; i < gst_value_list_get_size(v); i++) {
      GValue item = G_VALUE_INIT;

      if (scale_value(&item, gst_value_list_get_value(v, i), num, den))
        gst_value_list_append_and_take_value(out, &item);
    }
    if (gst_value_list_get_size(out) > 0)
      return TRUE;
    g_value_unset(out);
    return FALSE;
  }
  if (G_VALUE_HOLDS_INT(v)) {
    low = high = g_value_get_int(v);
  } else if (GST_VALUE_HOLDS_INT_RANGE(v)) {
    low = gst_value_get_int_range_min(v);
    high = gst_value_get_int_range_max(v);
  } else {
    return FALSE;
  }
  low = (low * num + den - 1) / den;
  high = MIN(high * num / den, G_MAXINT);
  if (low > high)
    return FALSE;
  if (low == high) {
    g_value_init(out, G_TYPE_INT);
    g_value_set_int(out, (int)low);
  } else {
    g_value_init(out, GST_TYPE_INT_RANGE);
    gst_value_set_int_range(out, (int)low, (int)high);
  }
  return TRUE;
}

static gboolean
scale_side(GstStructure *s, const char *side, int num, int den)
{
  const GValue *v = gst_structure_get_value(s, side);
  GValue scaled = G_VALUE_INIT;

  if (v == NULL)
    return TRUE; /* any stays any */
  if (!scale_value(&scaled, v, num, den))
    return FALSE;
  gst_structure_take_value(s, side, &scaled);
  return TRUE;
}

/* Returns what the other side may have when the side `from` has caps, which
 * stay the caller's. Upstream is offered progressive video only; interlaced
 * video that comes nevertheless gets this far, to be refused with a sentence. */
GstCaps *
upscale_scale_caps(GstCaps *caps, GstPadDirection from, int scale)
{
  int num = from == GST_PAD_SINK ? scale : 1;
  int den = from == GST_PAD_SINK ? 1 : scale;
  GstCaps *out = gst_caps_new_empty();
  guint i;

  if (scale < 1)
    return out;
  for (i = 0; i < gst_caps_get_size(caps); i++) {
    GstStructure *s = gst_structure_copy(gst_caps_get_structure(caps, i));

    if (scale_side(s, "width", num, den) && scale_side(s, "height", num, den))
      gst_caps_append_structure_full(out, s, gst_caps_features_copy(gst_caps_get_features(caps, i)));
    else
      gst_structure_free(s);
  }
  if (from == GST_PAD_SRC) {
    GstCaps *progressive = gst_caps_from_string("video/x-raw, interlace-mode=(string)progressive");
    GstCaps *both = gst_caps_intersect_full(out, progressive, GST_CAPS_INTERSECT_FIRST);

    gst_caps_unref(progressive);
    gst_caps_unref(out);
    out = both;
  }
  return out;
}

static void
set_unless_there(GstCaps *caps, const char *field, char *value)
{
  GstStructure *s = gst_caps_get_structure(caps, 0);

  if (value != NULL && !gst_structure_has_field(s, field))
    gst_structure_set(s, field, G_TYPE_STRING, value, NULL);
  g_free(value);
}

/* Names the colours of what leaves where nobody has: what they mean unnamed
 * depends on the height, which is another one on the side of in. Both caps are
 * fixed. This is not for caps that others are still to choose from: upstream
 * would take the name for a wish and convert. Takes out and returns it. */
GstCaps *
upscale_name_colours(GstCaps *in, GstCaps *out)
{
  GstVideoInfo info;

  if (!gst_video_info_from_caps(&info, in))
    return out;
  out = gst_caps_make_writable(out);
  set_unless_there(out, "colorimetry", gst_video_colorimetry_to_string(&info.colorimetry));
  if (GST_VIDEO_INFO_IS_YUV(&info) && info.chroma_site != GST_VIDEO_CHROMA_SITE_UNKNOWN)
    set_unless_there(out, "chroma-site", gst_video_chroma_site_to_string(info.chroma_site));
  return out;
}
