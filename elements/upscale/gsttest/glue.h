/* What the Go files of this package need of GStreamer. Strings and objects that
 * a function returns belong to the caller unless it says otherwise. */
#ifndef UPSCALED_GSTTEST_GLUE_H
#define UPSCALED_GSTTEST_GLUE_H

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

/* A picture and what a GstBuffer says of it. */
typedef struct {
  const char *format;
  int width, height;
  int planes;
  void *data[3]; /* borrowed */
  gsize size[3];
  int stride[3];
  gboolean meta; /* lies in memory as stride says, with a GstVideoMeta; else as GStreamer would lay it out */
  guint64 pts, dts, duration, offset;
  guint flags;
  int region[4], crop[4]; /* x, y, width, height; width 0 for none */
  guint8 caption[4];      /* caption_size bytes of CEA-608 */
  guint caption_size;
} Picture;

GstBuffer *picture_buffer(const Picture *p);
gboolean picture_read(Picture *p, GstBuffer *buffer);

typedef struct {
  char *text, *debug, *source;
  GstMessageType type;
} Message;

gboolean bus_pop(GstBus *bus, guint64 timeout_ns, GstMessageType types, Message *m);
void message_clear(Message *m);

typedef struct {
  char *name, *type, *range, *initial, *blurb;
  gboolean writable, playing;
} Property;

Property *element_properties(GstElement *e, guint *n);
void properties_free(Property *p, guint n);

gboolean element_set(GstElement *e, const char *property, const char *value);
char *element_get(GstElement *e, const char *property);
char *element_template(GstElement *e, const char *pad);
gboolean element_pull(GstElement *e, const char *name, gboolean active);
GstFlowReturn element_range(GstElement *e, const char *name, guint64 offset, void *data, guint *n);
void element_flush(GstElement *e, const char *name, gboolean start);
char *element_pad_caps(GstElement *e, const char *pad);
GstBuffer *sink_pull(GstElement *appsink, guint64 timeout_ns);
GstBuffer *bytes_buffer(const void *data, gsize n, guint64 pts);
gboolean source_push(GstElement *appsrc, GstBuffer *buffer);
gboolean pipeline_seek(GstElement *e, gint64 start_ns);

gboolean rig_send_caps(GstHarness *h, const char *caps);
gboolean rig_send_segment(GstHarness *h);
gboolean rig_send_qos(GstHarness *h, guint64 running_ns, gint64 late_ns);
char *rig_caps(GstHarness *h);
char *rig_query_caps(GstHarness *h, gboolean of_sink, const char *filter);
gboolean rig_accepts(GstHarness *h, const char *caps);
void rig_latency(GstHarness *h, guint64 *least, guint64 *most, gboolean *live);
char *rig_next_event(GstHarness *h);
GstFlowReturn rig_push_same(GstHarness *h, GstBuffer *buffer, guint n);
GstFlowReturn rig_push_own(GstHarness *h, GstBuffer *buffer, guint n, guint64 *busy);

#endif
