/* Vignette and grain. */
#include "work.h"

/* One row of the vignette. across + down is q: 0 and less in the middle, which
 * stays, 1 in the corner. What is above zero is multiplied by 1 − falloff q². */
ADJUST_VECTOR static void
vignette_row(guint8 *row, int n, const gint16 *across, gint16 down, gint16 falloff, gint16 zero)
{
  int x;

  for (x = 0; x < n; x++) {
    gint16 q = (gint16)(across[x] + down);
    gint16 gain, v;

    q = q > 0 ? q : 0;
    gain = (gint16)(32767 - adjust_scale(adjust_scale(q, q), falloff));
    v = (gint16)((row[x] - zero) * 128);
    v = (gint16)(((adjust_scale(v, gain) + 64) >> 7) + zero);
    v = v > 0 ? v : 0;
    row[x] = (guint8)(v < 255 ? v : 255);
  }
}

static void
vignette(guint8 *plane, int stride, int n, int rows, const gint16 *across, const gint16 *down, gint16 falloff, int zero)
{
  int y;

  for (y = 0; y < rows; y++, plane += stride)
    vignette_row(plane, n, across, down[y], falloff, (gint16)zero);
}

void
adjust_vignette(const AdjustPlan *plan, const AdjustPicture *p)
{
  int n = (p->width + 1) / 2 * p->step, rows = (p->height + 1) / 2;

  vignette(p->luma, p->stride, p->width, p->height, plan->across, plan->down, plan->falloff, plan->black);
  vignette(p->cb, p->chroma_stride, n, rows, plan->chroma_across, plan->chroma_down, plan->falloff, 128);
  if (p->step == 1)
    vignette(p->cr, p->chroma_stride, n, rows, plan->chroma_across, plan->chroma_down, plan->falloff, 128);
}

/* One row of grain: strongest in mid-grey and none in black and white, as film
 * has it, so that the mean stays there, too. The amount makes up for what the
 * weight, twice the product of the ways to black and to white, is short of one. */
ADJUST_VECTOR static void
grain_row(guint8 *row, int n, const gint8 *tile, gint16 amount, gint16 black, gint16 span)
{
  int x;

  for (x = 0; x < n; x++) {
    gint16 level = (gint16)(row[x] - black);
    gint16 noise = adjust_scale((gint16)(tile[x] * 256), amount); /* in 1/32 */
    gint16 v;

    level = level > 0 ? level : 0;
    level = level < span ? level : span;
    noise = adjust_scale(noise, (gint16)(2 * level * (gint16)(span - level)));
    v = (gint16)((row[x] * 32 + noise + 16) >> 5);
    v = v > 0 ? v : 0;
    row[x] = (guint8)(v < 255 ? v : 255);
  }
}

/* Lays the tile over the picture, moved by another random way in each frame, so
 * that no pattern of it stands still. */
void
adjust_grain(const AdjustPlan *plan, const AdjustPicture *p, guint64 frame)
{
  guint64 random = (frame + 1) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15); /* SplitMix64 */
  int left, top, x, y;

  random = (random ^ (random >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
  random = (random ^ (random >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
  random ^= random >> 31;
  left = (int)(random % ADJUST_TILE);
  top = (int)(random / ADJUST_TILE % ADJUST_TILE);
  for (y = 0; y < p->height; y++) {
    const gint8 *tile = plan->tile + (y + top) % ADJUST_TILE * ADJUST_TILE;
    guint8 *row = p->luma + (gsize)p->stride * y;

    for (x = 0; x < p->width;) {
      int from = (left + x) % ADJUST_TILE;
      int n = MIN(p->width - x, ADJUST_TILE - from);

      grain_row(row + x, n, tile + from, plan->grain, (gint16)plan->black, (gint16)plan->span);
      x += n;
    }
  }
}
