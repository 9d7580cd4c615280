/* The GObject half of the adjust element: a GstVideoFilter that works in place. */
#ifndef UPSCALED_ADJUST_ELEMENT_H
#define UPSCALED_ADJUST_ELEMENT_H

#include <gst/video/gstvideofilter.h>
#include <gst/video/video.h>

#include "work.h"

typedef struct {
  GstVideoFilter parent;
  guintptr go;      /* runtime/cgo.Handle of the Go half, valid from init to finalize */
  AdjustPlan *plan; /* guarded by the object lock; NULL where frames are handed on as they are */
  guint64 frame;    /* of the streaming thread: those worked on, which the grain goes by */
} GstAdjust;

typedef struct {
  GstVideoFilterClass parent_class;
} GstAdjustClass;

#define GST_ADJUST(obj) ((GstAdjust *)(obj))

/* What the Go half needs of the negotiated caps. */
typedef struct {
  int width, height;
  int step;   /* of AdjustPicture */
  int matrix; /* GstVideoColorMatrix */
  int range;  /* GstVideoColorRange */
} AdjustLayout;

GType gst_adjust_get_type(void);
gboolean adjust_register(void);
guintptr adjust_handle(void *element);
void adjust_install(GstAdjust *self, AdjustPlan *plan);

#endif
