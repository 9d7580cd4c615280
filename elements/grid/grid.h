#ifndef UPSCALED_GRID_H
#define UPSCALED_GRID_H

#include <gst/gst.h>

/* What a segmentgrid goes by. Times are nanoseconds of the film but for origin. */
typedef struct {
  gint64 origin;            /* stream time at which the film is at 0 */
  guint64 ticks, timescale; /* a segment lasts ticks/timescale seconds */
  gint rate_n, rate_d;      /* frames a second; rate_n is 0 when it varies */
  guint64 first;            /* segment to begin with */
  guint64 end;              /* of the film */
} GridPlan;

typedef struct {
  guint64 repeated; /* pictures that were shown once more */
  guint64 dropped;  /* that came twice for one time, or after the end */
} GridStats;

gboolean grid_register(void);
gboolean grid_set(void *element, const GridPlan *plan);
gboolean grid_stats(void *element, GridStats *stats);
void grid_key_frame(void *element);

#endif
