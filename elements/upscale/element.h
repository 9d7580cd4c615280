/* The GObject half of the upscale element: a GstVideoFilter whose virtual
 * methods call the exported Go functions of export.go and properties.go. */
#ifndef UPSCALED_ELEMENT_H
#define UPSCALED_ELEMENT_H

#include <gst/video/gstvideofilter.h>
#include <gst/video/video.h>

typedef struct {
  GstVideoFilter parent;
  guintptr go;            /* runtime/cgo.Handle of the Go half, valid from init to finalize */
  GstClockTime frame_time; /* guarded by the object lock; one frame at the negotiated rate, 0 when unknown or plain */
} GstUpscale;

typedef struct {
  GstVideoFilterClass parent_class;
} GstUpscaleClass;

#define GST_UPSCALE(obj) ((GstUpscale *)(obj))

/* Numbered from 1, as GObject wants; the Go half uses the same names. */
enum {
  PROP_MODEL = 1,
  PROP_PROVIDER,
  PROP_DEVICE,
  PROP_PRECISION,
  PROP_THREADS,
  PROP_TILE,
  PROP_STRENGTH,
  PROP_PASSTHROUGH,
  PROP_STATS,
};

/* What the Go half needs of the negotiated caps, and its answer. */
typedef struct {
  const char *format; /* GStreamer's name */
  int width, height, out_width, out_height;
  gboolean interlaced;
  int matrix; /* GstVideoColorMatrix */
  int range;  /* GstVideoColorRange */
  int site;   /* GstVideoChromaSite */
  gboolean plain; /* set by the Go half: frames are handed on as they are */
} UpscaleLayout;

/* A mapped picture: valid only during the call that gets it. */
typedef struct {
  int width, height;
  int planes;
  void *data[3];
  gsize size[3]; /* bytes from data to the end of what is mapped */
  int stride[3];
} UpscalePicture;

/* What the stats property shows. */
typedef struct {
  guint64 upscaled, plain, dropped, failed;
  double median_ms, p95_ms;
  char *model, *provider; /* of malloc, freed by the reader; NULL for none */
} UpscaleStats;

/* element.c */
GType gst_upscale_get_type(void);
gboolean upscale_register(void);
guintptr upscale_handle(void *element);

/* caps.c */
GstCaps *upscale_scale_caps(GstCaps *caps, GstPadDirection from, int scale);
GstCaps *upscale_name_colours(GstCaps *in, GstCaps *out);

/* properties.c */
void upscale_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec);
void upscale_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec);
void upscale_install_properties(GObjectClass *klass);

#endif
