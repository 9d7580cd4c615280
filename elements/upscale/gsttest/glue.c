#include "glue.h"

#include <string.h>
#include <time.h>

#include <gst/video/video-anc.h>

static void
add_metas(GstBuffer *b, const Picture *p)
{
  if (p->region[2] > 0)
    gst_buffer_add_video_region_of_interest_meta(b, "face", p->region[0], p->region[1], p->region[2], p->region[3]);
  if (p->crop[2] > 0) {
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(b);

    crop->x = p->crop[0], crop->y = p->crop[1], crop->width = p->crop[2], crop->height = p->crop[3];
  }
  if (p->caption_size > 0)
    gst_buffer_add_video_caption_meta(b, GST_VIDEO_CAPTION_TYPE_CEA608_RAW, p->caption, p->caption_size);
}

static void
copy_rows(GstVideoFrame *f, Picture *p, gboolean write)
{
  int i, y;

  for (i = 0; i < p->planes; i++) {
    gint comp[GST_VIDEO_MAX_COMPONENTS];
    gsize row;

    gst_video_format_info_component(f->info.finfo, i, comp);
    row = (gsize)GST_VIDEO_FRAME_COMP_WIDTH(f, comp[0]) * GST_VIDEO_FRAME_COMP_PSTRIDE(f, comp[0]);
    for (y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(f, comp[0]); y++) {
      guint8 *theirs = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(f, i) + (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(f, i);
      guint8 *ours = (guint8 *)p->data[i] + (gsize)y * p->stride[i];

      memcpy(write ? theirs : ours, write ? ours : theirs, row);
    }
  }
}

/* Returns the picture in memory of the buffer's own. */
GstBuffer *
picture_buffer(const Picture *p)
{
  GstVideoFormat format = gst_video_format_from_string(p->format);
  gsize offset[GST_VIDEO_MAX_PLANES] = {0}, size = 0;
  gint stride[GST_VIDEO_MAX_PLANES] = {0};
  GstVideoFrame f;
  GstVideoInfo info;
  GstBuffer *b;
  int i;

  gst_video_info_set_format(&info, format, p->width, p->height);
  if (p->meta) {
    for (i = 0; i < p->planes; i++) {
      offset[i] = size + 6; /* bytes between the planes that belong to none */
      size = offset[i] + p->size[i];
      stride[i] = p->stride[i];
    }
    b = gst_buffer_new_allocate(NULL, size, NULL);
    gst_buffer_memset(b, 0, 0xee, size);
    for (i = 0; i < p->planes; i++)
      gst_buffer_fill(b, offset[i], p->data[i], p->size[i]);
    gst_buffer_add_video_meta_full(b, GST_VIDEO_FRAME_FLAG_NONE, format, p->width, p->height, p->planes, offset, stride);
  } else {
    b = gst_buffer_new_allocate(NULL, info.size, NULL);
    gst_video_frame_map(&f, &info, b, GST_MAP_WRITE);
    copy_rows(&f, (Picture *)p, TRUE);
    gst_video_frame_unmap(&f);
  }
  GST_BUFFER_PTS(b) = p->pts;
  GST_BUFFER_DTS(b) = p->dts;
  GST_BUFFER_DURATION(b) = p->duration;
  GST_BUFFER_OFFSET(b) = p->offset;
  GST_BUFFER_FLAG_SET(b, p->flags);
  add_metas(b, p);
  return b;
}

/* Fills the planes of p, which has the buffer's format and size, and what the
 * buffer says of them. */
gboolean
picture_read(Picture *p, GstBuffer *b)
{
  GstVideoRegionOfInterestMeta *region = gst_buffer_get_video_region_of_interest_meta_id(b, 0);
  GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(b);
  GstVideoCaptionMeta *caption = (GstVideoCaptionMeta *)gst_buffer_get_meta(b, GST_VIDEO_CAPTION_META_API_TYPE);
  gpointer state = NULL;
  GstVideoFrame f;
  GstVideoInfo info;
  GstMeta *m;

  while (region == NULL && (m = gst_buffer_iterate_meta_filtered(b, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) != NULL)
    region = (GstVideoRegionOfInterestMeta *)m;
  if (region != NULL)
    p->region[0] = region->x, p->region[1] = region->y, p->region[2] = region->w, p->region[3] = region->h;
  if (crop != NULL)
    p->crop[0] = crop->x, p->crop[1] = crop->y, p->crop[2] = crop->width, p->crop[3] = crop->height;
  if (caption != NULL) {
    p->caption_size = MIN(caption->size, sizeof p->caption);
    memcpy(p->caption, caption->data, p->caption_size);
  }
  p->pts = GST_BUFFER_PTS(b);
  p->dts = GST_BUFFER_DTS(b);
  p->duration = GST_BUFFER_DURATION(b);
  p->offset = GST_BUFFER_OFFSET(b);
  p->flags = GST_BUFFER_FLAGS(b);
  gst_video_info_set_format(&info, gst_video_format_from_string(p->format), p->width, p->height);
  if (!gst_video_frame_map(&f, &info, b, GST_MAP_READ))
    return FALSE;
  copy_rows(&f, p, FALSE);
  gst_video_frame_unmap(&f);
  return TRUE;
}

gboolean
bus_pop(GstBus *bus, guint64 timeout_ns, GstMessageType types, Message *m)
{
  GstMessage *found = gst_bus_timed_pop_filtered(bus, timeout_ns, types);
  GError *err = NULL;

  memset(m, 0, sizeof *m);
  if (found == NULL)
    return FALSE;
  m->type = GST_MESSAGE_TYPE(found);
  m->source = g_strdup(GST_MESSAGE_SRC_NAME(found));
  if (m->type == GST_MESSAGE_ERROR)
    gst_message_parse_error(found, &err, &m->debug);
  else if (m->type == GST_MESSAGE_WARNING)
    gst_message_parse_warning(found, &err, &m->debug);
  if (err != NULL) {
    m->text = g_strdup(err->message);
    g_error_free(err);
  }
  gst_message_unref(found);
  return TRUE;
}

void
message_clear(Message *m)
{
  g_free(m->text);
  g_free(m->debug);
  g_free(m->source);
}

static char *
range_of(GParamSpec *spec)
{
  if (G_IS_PARAM_SPEC_INT(spec))
    return g_strdup_printf("%d to %d", G_PARAM_SPEC_INT(spec)->minimum, G_PARAM_SPEC_INT(spec)->maximum);
  if (G_IS_PARAM_SPEC_DOUBLE(spec))
    return g_strdup_printf("%g to %g", G_PARAM_SPEC_DOUBLE(spec)->minimum, G_PARAM_SPEC_DOUBLE(spec)->maximum);
  if (G_IS_PARAM_SPEC_BOOLEAN(spec))
    return g_strdup("true, false");
  if (G_IS_PARAM_SPEC_ENUM(spec)) {
    GEnumClass *k = G_PARAM_SPEC_ENUM(spec)->enum_class;
    GString *s = g_string_new(NULL);
    guint i;

    for (i = 0; i < k->n_values; i++)
      g_string_append_printf(s, "%s%s", i > 0 ? ", " : "", k->values[i].value_nick);
    return g_string_free(s, FALSE);
  }
  return g_strdup("");
}

/* Returns the properties that the element's own class adds. */
Property *
element_properties(GstElement *e, guint *n)
{
  guint all, i;
  GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(e), &all);
  Property *own = g_new0(Property, all);

  *n = 0;
  for (i = 0; i < all; i++) {
    Property *p = &own[*n];

    if (specs[i]->owner_type != G_OBJECT_TYPE(e))
      continue;
    (*n)++;
    p->name = g_strdup(specs[i]->name);
    p->type = g_strdup(G_IS_PARAM_SPEC_ENUM(specs[i]) ? "enum" : g_type_name(specs[i]->value_type));
    p->range = range_of(specs[i]);
    p->blurb = g_strdup(g_param_spec_get_blurb(specs[i]));
    p->writable = (specs[i]->flags & G_PARAM_WRITABLE) != 0;
    p->initial = p->writable ? gst_value_serialize(g_param_spec_get_default_value(specs[i])) : NULL;
    p->playing = (specs[i]->flags & GST_PARAM_MUTABLE_PLAYING) != 0;
  }
  g_free(specs);
  return own;
}

void
properties_free(Property *p, guint n)
{
  guint i;

  for (i = 0; i < n; i++) {
    g_free(p[i].name);
    g_free(p[i].type);
    g_free(p[i].range);
    g_free(p[i].initial);
    g_free(p[i].blurb);
  }
  g_free(p);
}

/* Reports whether the element has the property and could read the value. */
gboolean
element_set(GstElement *e, const char *property, const char *text)
{
  GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(e), property);
  GValue value = G_VALUE_INIT;
  gboolean read;

  if (spec == NULL)
    return FALSE;
  g_value_init(&value, spec->value_type);
  read = gst_value_deserialize_with_pspec(&value, text, spec);
  if (read)
    g_object_set_property(G_OBJECT(e), property, &value);
  g_value_unset(&value);
  return read;
}

char *
element_get(GstElement *e, const char *property)
{
  GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(e), property);
  GValue value = G_VALUE_INIT;
  char *text;

  if (spec == NULL)
    return NULL;
  g_value_init(&value, spec->value_type);
  g_object_get_property(G_OBJECT(e), property, &value);
  text = G_VALUE_HOLDS_STRING(&value) ? g_value_dup_string(&value) : gst_value_serialize(&value);
  g_value_unset(&value);
  return text;
}

char *
element_template(GstElement *e, const char *pad)
{
  GstCaps *caps = gst_pad_template_get_caps(gst_element_get_pad_template(e, pad));
  char *text = gst_caps_to_string(caps);

  gst_caps_unref(caps);
  return text;
}

GstBuffer *
sink_pull(GstElement *appsink, guint64 timeout_ns)
{
  GstSample *sample = NULL;
  GstBuffer *b;

  g_signal_emit_by_name(appsink, "try-pull-sample", timeout_ns, &sample);
  if (sample == NULL)
    return NULL;
  b = gst_buffer_ref(gst_sample_get_buffer(sample));
  gst_sample_unref(sample);
  return b;
}

/* Takes the buffer; NULL is the end of the stream. */
/* Returns a buffer with a copy of n bytes. */
GstBuffer *
bytes_buffer(const void *data, gsize n, guint64 pts)
{
  GstBuffer *b = gst_buffer_new_memdup(data, n);

  GST_BUFFER_PTS(b) = pts;
  return b;
}

gboolean
source_push(GstElement *appsrc, GstBuffer *b)
{
  GstFlowReturn ret;

  if (b == NULL) {
    g_signal_emit_by_name(appsrc, "end-of-stream", &ret);
  } else {
    g_signal_emit_by_name(appsrc, "push-buffer", b, &ret); /* which takes a reference of its own */
    gst_buffer_unref(b);
  }
  return ret == GST_FLOW_OK;
}

gboolean
pipeline_seek(GstElement *e, gint64 start_ns)
{
  return gst_element_seek_simple(e, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, start_ns);
}

gboolean
rig_send_caps(GstHarness *h, const char *text)
{
  GstCaps *caps = gst_caps_from_string(text);
  gboolean sent = gst_harness_push_event(h, gst_event_new_caps(caps));

  gst_caps_unref(caps);
  return sent;
}

gboolean
rig_send_segment(GstHarness *h)
{
  GstSegment s;

  gst_segment_init(&s, GST_FORMAT_TIME);
  return gst_harness_push_event(h, gst_event_new_segment(&s));
}

gboolean
rig_send_qos(GstHarness *h, guint64 running_ns, gint64 late_ns)
{
  return gst_harness_push_upstream_event(h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 1.5, late_ns, running_ns));
}

static char *
pad_caps(GstPad *pad)
{
  GstCaps *caps = gst_pad_get_current_caps(pad);
  char *text = caps != NULL ? gst_caps_to_string(caps) : NULL;

  if (caps != NULL)
    gst_caps_unref(caps);
  return text;
}

/* Starts, or ends, the reading of ranges of a source pad. */
gboolean
element_pull(GstElement *e, const char *name, gboolean active)
{
  GstPad *pad = gst_element_get_static_pad(e, name);
  gboolean done = gst_pad_activate_mode(pad, GST_PAD_MODE_PULL, active);

  gst_object_unref(pad);
  return done;
}

/* Reads a range of a source pad; sets n to what was read. */
GstFlowReturn
element_range(GstElement *e, const char *name, guint64 offset, void *data, guint *n)
{
  GstPad *pad = gst_element_get_static_pad(e, name);
  GstBuffer *b = NULL;
  GstFlowReturn ret = gst_pad_get_range(pad, offset, *n, &b);

  if (ret == GST_FLOW_OK) {
    *n = (guint)gst_buffer_extract(b, 0, data, *n);
    gst_buffer_unref(b);
  }
  gst_object_unref(pad);
  return ret;
}

/* Sends the events of a flush to a source pad: its start, or its stop. */
void
element_flush(GstElement *e, const char *name, gboolean start)
{
  GstPad *pad = gst_element_get_static_pad(e, name);

  gst_pad_send_event(pad, start ? gst_event_new_flush_start() : gst_event_new_flush_stop(TRUE));
  gst_object_unref(pad);
}

/* Returns the caps of a static pad, NULL for none. */
char *
element_pad_caps(GstElement *e, const char *name)
{
  GstPad *pad = gst_element_get_static_pad(e, name);
  char *text = pad_caps(pad);

  gst_object_unref(pad);
  return text;
}

/* Returns the caps that came out last, NULL for none. */
char *
rig_caps(GstHarness *h)
{
  return pad_caps(h->sinkpad);
}

char *
rig_query_caps(GstHarness *h, gboolean of_sink, const char *filter)
{
  GstCaps *asked = filter != NULL ? gst_caps_from_string(filter) : NULL;
  GstCaps *caps = gst_pad_peer_query_caps(of_sink ? h->srcpad : h->sinkpad, asked);
  char *text = gst_caps_to_string(caps);

  gst_caps_unref(caps);
  if (asked != NULL)
    gst_caps_unref(asked);
  return text;
}

gboolean
rig_accepts(GstHarness *h, const char *text)
{
  GstCaps *caps = gst_caps_from_string(text);
  gboolean accepts = gst_pad_peer_query_accept_caps(h->srcpad, caps);

  gst_caps_unref(caps);
  return accepts;
}

void
rig_latency(GstHarness *h, guint64 *least, guint64 *most, gboolean *live)
{
  GstQuery *q = gst_query_new_latency();

  gst_pad_peer_query(h->sinkpad, q);
  gst_query_parse_latency(q, live, least, most);
  gst_query_unref(q);
}

/* Returns the name of the next event that came out, NULL for none. */
char *
rig_next_event(GstHarness *h)
{
  GstEvent *e = gst_harness_try_pull_event(h);
  GstClockTime at;
  char *name;

  if (e == NULL)
    return NULL;
  if (gst_video_event_parse_downstream_force_key_unit(e, &at, NULL, NULL, NULL, NULL))
    name = g_strdup_printf("key-unit %" G_GUINT64_FORMAT, at);
  else
    name = g_strdup(GST_EVENT_TYPE_NAME(e));
  gst_event_unref(e);
  return name;
}

/* Pushes n copies of a buffer that share its memory. */
GstFlowReturn
rig_push_same(GstHarness *h, GstBuffer *b, guint n)
{
  GstFlowReturn ret = GST_FLOW_OK;

  while (ret == GST_FLOW_OK && n-- > 0)
    ret = gst_harness_push(h, gst_buffer_copy(b));
  return ret;
}

static guint64
thread_time(void)
{
  struct timespec t;

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (guint64)t.tv_sec * GST_SECOND + t.tv_nsec;
}

/* Pushes n copies of a buffer, each with memory of its own, which the element may
 * write to, and adds up this thread's processor time in ns but for that of copying. */
GstFlowReturn
rig_push_own(GstHarness *h, GstBuffer *b, guint n, guint64 *busy)
{
  GstFlowReturn ret = GST_FLOW_OK;

  *busy = 0;
  while (ret == GST_FLOW_OK && n-- > 0) {
    GstBuffer *own = gst_buffer_copy_deep(b);
    guint64 begin = thread_time();

    ret = gst_harness_push(h, own);
    *busy += thread_time() - begin;
  }
  return ret;
}
