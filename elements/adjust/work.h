/* What is done to the pixels of a picture, and the tables it is done with. */
#ifndef UPSCALED_ADJUST_WORK_H
#define UPSCALED_ADJUST_WORK_H

#include <glib.h>

/* Loops over pixels are compiled for AVX2 as well, and the loader picks. Where
 * that cannot be they run with what every machine of the kind has. All is
 * integer arithmetic, so the pixels are the same. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define ADJUST_VECTOR __attribute__((target_clones("avx2", "default")))
#else
#define ADJUST_VECTOR
#endif

enum {
  ADJUST_CELLS = 16,  /* of the colour tables along Cb and along Cr, 16 codes wide */
  ADJUST_CORNERS = 4, /* of a cell */
  ADJUST_ONE = 32,    /* one code value in the colour tables */
  ADJUST_TILE = 512,  /* columns and rows of the grain */
};

/* Picture is a mapped 4:2:0 picture of 8 bits. step is 1, or 2 where Cb and Cr
 * lie in turn in one plane. */
typedef struct {
  int width, height, step;
  guint8 *luma, *cb, *cr;
  int stride, chroma_stride;
} AdjustPicture;

/* Plan is the work on pictures of one size. The Go half fills it in before it is
 * given to an element; from then on only the streaming thread touches it, for it
 * has the scratch memory, too. A part that is NULL or 0 is not done. */
typedef struct {
  int width, height, step;
  int black; /* code value; white is what span is added to get */
  int span;

  int denoise; /* difference to the middle, in codes, that counts most */
  int sharpen; /* in 1/256 */

  guint8 *curves; /* [2][256]: of Y, and of Cb and Cr; or */
  gint16 *luma;   /* [cell][256 of Y][corner] in 1/ADJUST_ONE, and */
  gint16 *chroma; /* [cell][256 of Y][Cb, Cr][corner] */
  gint16 *weight; /* [16 of Cb][16 of Cr][corner] in 1/256: of the place in a cell */

  gint16 falloff;                /* of the vignette, at the corner, in 1/32767 */
  gint16 *across, *down;         /* parts of the way to the corner, squared, in 1/32767 (see light.c) */
  gint16 *chroma_across, *chroma_down;

  gint16 grain; /* amount, see light.c */
  gint8 *tile;  /* [ADJUST_TILE][ADJUST_TILE] */

  guint8 *spare;  /* a row of luma */
  gint16 *rows[5]; /* padded rows of the stencils */
} AdjustPlan;

/* plan.c */
AdjustPlan *adjust_plan_new(int width, int height, int step);
gint16 *adjust_plan_luma(AdjustPlan *plan);
gint16 *adjust_plan_chroma(AdjustPlan *plan);
void adjust_plan_vignette(AdjustPlan *plan);
AdjustPlan *adjust_plan_ref(AdjustPlan *plan);
void adjust_plan_unref(AdjustPlan *plan);
void adjust_work(AdjustPlan *plan, const AdjustPicture *picture, guint64 frame);

/* stencil.c */
void adjust_denoise(const AdjustPlan *plan, const AdjustPicture *picture);
void adjust_sharpen(const AdjustPlan *plan, const AdjustPicture *picture);

/* colour.c */
void adjust_curves(const AdjustPlan *plan, const AdjustPicture *picture);
void adjust_table(const AdjustPlan *plan, const AdjustPicture *picture);

/* light.c */
void adjust_vignette(const AdjustPlan *plan, const AdjustPicture *picture);
void adjust_grain(const AdjustPlan *plan, const AdjustPicture *picture, guint64 frame);

/* Returns a times b in 1/32768, rounded: one instruction on vectors. */
static inline gint16
adjust_scale(gint16 a, gint16 b)
{
  return (gint16)((((gint32)a * b >> 14) + 1) >> 1);
}

#endif
