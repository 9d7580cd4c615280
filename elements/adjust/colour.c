/* Colour: a curve for each component where they do not depend on each other, else
 * a table of the whole space. */
#include "work.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static void
curve(guint8 *restrict plane, int stride, int n, int rows, const guint8 *restrict to)
{
  int x, y;

  for (y = 0; y < rows; y++, plane += stride) {
#pragma GCC unroll 8
    for (x = 0; x < n; x++)
      plane[x] = to[plane[x]];
  }
}

void
adjust_curves(const AdjustPlan *plan, const AdjustPicture *p)
{
  int n = (p->width + 1) / 2, rows = (p->height + 1) / 2;

  curve(p->luma, p->stride, p->width, p->height, plan->curves);
  /* Cb and Cr have one curve, saturation. */
  if (p->step == 2) {
    curve(p->cb, p->chroma_stride, 2 * n, rows, plan->curves + 256);
    return;
  }
  curve(p->cb, p->chroma_stride, n, rows, plan->curves + 256);
  curve(p->cr, p->chroma_stride, n, rows, plan->curves + 256);
}

/* The table holds what becomes of each of the 256 levels of Y at the corners of a
 * cell of Cb and Cr. The chroma of a block is the same for its four pixels, so
 * the cell and the weights of its corners are found once, and a pixel is one load
 * of four corners and one product with four weights. Between the corners the
 * result is linear in Cb and Cr, which all filters but a LUT are, too. */
enum { SHIFT = 13 }; /* the weights' 8 bits and the table's 5 */

#ifdef __SSE2__

static inline __m128i
load8(const gint16 *p)
{
  return _mm_loadl_epi64((const __m128i *)p);
}

/* Returns the sums of the pairs of a and of b, shifted down. */
static inline __m128i
pairs(__m128i a, __m128i b)
{
  __m128 even = _mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), _MM_SHUFFLE(2, 0, 2, 0));
  __m128 odd = _mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), _MM_SHUFFLE(3, 1, 3, 1));
  __m128i sum = _mm_add_epi32(_mm_castps_si128(even), _mm_castps_si128(odd));

  return _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(1 << (SHIFT - 1))), SHIFT);
}

static inline void
block(const gint16 *luma, const gint16 *chroma, const gint16 *weight, guint8 *a, guint8 *b, guint8 *cb, guint8 *cr)
{
  __m128i w = load8(weight);
  int mean = (a[0] + a[1] + b[0] + b[1] + 2) >> 2;
  __m128i upper, lower, both, bytes;
  guint32 four, two;

  w = _mm_unpacklo_epi64(w, w);
  upper = _mm_unpacklo_epi64(load8(luma + 4 * a[0]), load8(luma + 4 * a[1]));
  lower = _mm_unpacklo_epi64(load8(luma + 4 * b[0]), load8(luma + 4 * b[1]));
  both = _mm_loadu_si128((const __m128i *)(chroma + 8 * mean));
  both = _mm_madd_epi16(both, w);
  bytes = _mm_packs_epi32(pairs(_mm_madd_epi16(upper, w), _mm_madd_epi16(lower, w)), pairs(both, both));
  bytes = _mm_packus_epi16(bytes, bytes);
  four = (guint32)_mm_cvtsi128_si32(bytes);
  two = (guint32)_mm_cvtsi128_si32(_mm_srli_si128(bytes, 4));
  memcpy(a, &four, 2); /* x86 has the low byte first */
  four >>= 16;
  memcpy(b, &four, 2);
  *cb = (guint8)two;
  *cr = (guint8)(two >> 8);
}

#else

static inline guint8
mix(const gint16 *corner, const gint16 *w)
{
  gint32 sum = corner[0] * w[0] + corner[1] * w[1] + corner[2] * w[2] + corner[3] * w[3];

  sum = (sum + (1 << (SHIFT - 1))) >> SHIFT;
  return (guint8)CLAMP(sum, 0, 255);
}

static inline void
block(const gint16 *luma, const gint16 *chroma, const gint16 *weight, guint8 *a, guint8 *b, guint8 *cb, guint8 *cr)
{
  int mean = (a[0] + a[1] + b[0] + b[1] + 2) >> 2;

  a[0] = mix(luma + 4 * a[0], weight);
  a[1] = mix(luma + 4 * a[1], weight);
  b[0] = mix(luma + 4 * b[0], weight);
  b[1] = mix(luma + 4 * b[1], weight);
  *cb = mix(chroma + 8 * mean, weight);
  *cr = mix(chroma + 8 * mean + 4, weight);
}

#endif

/* Works on the four pixels of a chroma sample, two in row a and two in row b. */
static inline void
grade(const AdjustPlan *plan, guint8 *a, guint8 *b, guint8 *cb, guint8 *cr)
{
  int cell = (*cb >> 4) * ADJUST_CELLS + (*cr >> 4);
  int place = (*cb & 15) * 16 + (*cr & 15);

  block(plan->luma + cell * 256 * ADJUST_CORNERS, plan->chroma + cell * 256 * ADJUST_CORNERS * 2,
      plan->weight + place * ADJUST_CORNERS, a, b, cb, cr);
}

void
adjust_table(const AdjustPlan *plan, const AdjustPicture *p)
{
  int x, y;

  for (y = 0; y < p->height; y += 2) {
    guint8 *a = p->luma + (gsize)p->stride * y, *b = a + p->stride;
    guint8 *cb = p->cb + (gsize)p->chroma_stride * (y / 2), *cr = p->cr + (gsize)p->chroma_stride * (y / 2);

    if (y + 1 == p->height)
      b = memcpy(plan->spare, a, p->width); /* half a block: the other half counts for the mean alone */
    for (x = 0; x + 1 < p->width; x += 2, cb += p->step, cr += p->step)
      grade(plan, a + x, b + x, cb, cr);
    if (x < p->width) {
      guint8 upper[2] = {a[x], a[x]}, lower[2] = {b[x], b[x]};

      grade(plan, upper, lower, cb, cr);
      a[x] = upper[0];
      b[x] = lower[0];
    }
  }
}
