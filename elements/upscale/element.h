/* The GObject half of the upscale element: a GstVideoFilter whose virtual
 * methods call the exported Go functions of export.go. */
#ifndef UPSCALED_ELEMENT_H
#define UPSCALED_ELEMENT_H

#include <gst/video/gstvideofilter.h>
#include <gst/video/video.h>

/* Numbered from 1, as GObject wants; the Go half has the same list. */
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

/* What the Go half needs of a GstVideoInfo. */
typedef struct {
  const char *format;
  int width, height;
  int matrix; /* GstVideoColorMatrix */
  int range;  /* GstVideoColorRange */
  int site;   /* GstVideoChromaSite */
} UpscaleLayout;

/* A mapped frame: valid only during the call that gets it. */
typedef struct {
  void *data[3];
  int stride[3];
  int rows[3];
  int planes;
} UpscalePicture;

/* What the stats property shows. */
typedef struct {
  guint64 upscaled, failed;
  double median_ms, p95_ms;
  char *model, *provider; /* freed by the reader with free() */
} UpscaleStats;

gboolean upscale_register(void);
guintptr upscale_handle(void *element);

#endif
