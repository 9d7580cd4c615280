/* The filters that look at the neighbours of a sample: they work in place on a
 * sliding window of rows as they were. */
#include "work.h"

#include <string.h>

/* Copies a row of n samples, step apart from the next of their kind, and repeats
 * its ends by `reach` samples of their kind. */
static void
load(gint16 *to, const guint8 *row, int n, int step, int reach)
{
  int i;

  for (i = 0; i < n; i++)
    to[i] = row[i];
  for (i = 0; i < reach * step; i++) {
    to[-1 - i] = to[step - 1 - i % step];
    to[n + i] = to[n - step + i % step];
  }
}

static inline gint16
bound(gint16 v, gint16 limit)
{
  gint16 low = (gint16)-limit; /* of 16 bits, or the compiler compares 32 */

  v = v < limit ? v : limit;
  return v > low ? v : low;
}

static inline guint8
to_byte(gint16 v)
{
  v = v > 0 ? v : 0;
  return (guint8)(v < 255 ? v : 255);
}

/* What a neighbour that differs by d adds to the sum: d up to t, then less and
 * less, and nothing from 2t on, where an edge lies between them. */
static inline gint16
pull(gint16 d, gint16 t)
{
  return (gint16)(2 * bound(d, t) - bound(d, (gint16)(2 * t)));
}

/* What the five neighbours of a row add. Written out: the compiler makes vectors
 * of the loop around it, and unrolls loops within only after that. */
static inline gint16
pull_row(const gint16 *row, int step, gint16 middle, gint16 t)
{
  return (gint16)(pull((gint16)(row[-2 * step] - middle), t) + pull((gint16)(row[-step] - middle), t) +
                  pull((gint16)(row[0] - middle), t) + pull((gint16)(row[step] - middle), t) +
                  pull((gint16)(row[2 * step] - middle), t));
}

/* One row of the mean over 5 × 5 neighbours, each as far as it is alike: a sigma
 * filter (Lee, Digital image smoothing and the sigma filter, 1983) with a soft
 * end. */
static inline __attribute__((always_inline)) void
smooth(guint8 *restrict out, gint16 *const rows[5], int n, int step, gint16 t)
{
  const gint16 *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3], *r4 = rows[4];
  int x;

  for (x = 0; x < n; x++) {
    gint16 middle = r2[x];
    gint16 sum = (gint16)(pull_row(r0 + x, step, middle, t) + pull_row(r1 + x, step, middle, t) +
                          pull_row(r2 + x, step, middle, t) + pull_row(r3 + x, step, middle, t) +
                          pull_row(r4 + x, step, middle, t));

    out[x] = to_byte((gint16)(middle + adjust_scale(sum, (32768 + 12) / 25)));
  }
}

ADJUST_VECTOR static void
smooth_row(guint8 *out, gint16 *const rows[5], int n, int step, gint16 t)
{
  if (step == 1)
    smooth(out, rows, n, 1, t);
  else
    smooth(out, rows, n, 2, t);
}

/* One row of: what is there, and `amount` times what a 3 × 3 binomial blur takes
 * away. */
ADJUST_VECTOR static void
sharpen_row(guint8 *out, gint16 *const rows[3], int n, gint16 amount)
{
  const gint16 *above = rows[0], *row = rows[1], *below = rows[2];
  int x;

  for (x = 0; x < n; x++) {
    gint16 left = (gint16)(above[x - 1] + 2 * row[x - 1] + below[x - 1]);
    gint16 here = (gint16)(above[x] + 2 * row[x] + below[x]);
    gint16 right = (gint16)(above[x + 1] + 2 * row[x + 1] + below[x + 1]);
    gint16 detail = (gint16)(16 * row[x] - left - 2 * here - right); /* in 1/16 */

    out[x] = to_byte((gint16)(row[x] + adjust_scale((gint16)(detail * 8), amount)));
  }
}

/* Runs a filter over a plane of n samples a row: smooths with t, or where t is 0
 * sharpens. */
static void
slide(const AdjustPlan *plan, guint8 *plane, int stride, int n, int height, int step, int t)
{
  int reach = t > 0 ? 2 : 1, span = 2 * reach + 1, pad = reach * step;
  gint16 *rows[5];
  int y, i;

  for (i = 0; i < span; i++) {
    rows[i] = plan->rows[i];
    load(rows[i], plane + (gsize)stride * CLAMP(i - reach, 0, height - 1), n, step, reach);
  }
  for (y = 0; y < height; y++) {
    guint8 *out = plane + (gsize)stride * y;
    gint16 *oldest = rows[0];

    if (t > 0)
      smooth_row(out, rows, n, step, (gint16)t);
    else
      sharpen_row(out, rows, n, (gint16)plan->sharpen);
    for (i = 1; i < span; i++)
      rows[i - 1] = rows[i];
    rows[span - 1] = oldest;
    /* Rows that come are as they were. Below the last one it is repeated. */
    if (y + reach + 1 < height)
      load(oldest, out + (gsize)stride * (reach + 1), n, step, reach);
    else
      memcpy(oldest - pad, rows[span - 2] - pad, (n + 2 * pad) * sizeof *oldest);
  }
}

/* Chroma is smoothed half as much: a difference that is noise in luma is an edge
 * of colours there. */
void
adjust_denoise(const AdjustPlan *plan, const AdjustPicture *p)
{
  int n = (p->width + 1) / 2 * p->step, rows = (p->height + 1) / 2, t = (plan->denoise + 1) / 2;

  slide(plan, p->luma, p->stride, p->width, p->height, 1, plan->denoise);
  slide(plan, p->cb, p->chroma_stride, n, rows, p->step, t);
  if (p->step == 1)
    slide(plan, p->cr, p->chroma_stride, n, rows, 1, t);
}

void
adjust_sharpen(const AdjustPlan *plan, const AdjustPicture *p)
{
  slide(plan, p->luma, p->stride, p->width, p->height, 1, 0);
}
