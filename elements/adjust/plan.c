/* A plan's memory, and the order of its work. */
#include "work.h"

enum { PAD = 4 }; /* samples that a row of the stencils has on either side: two of Cb and two of Cr */

static guint
chroma_row(const AdjustPlan *plan)
{
  return (plan->width + 1) / 2 * plan->step;
}

/* Returns an empty plan, which does nothing yet. The caller holds one reference. */
AdjustPlan *
adjust_plan_new(int width, int height, int step)
{
  AdjustPlan *plan = g_atomic_rc_box_new0(AdjustPlan);
  guint i;

  plan->width = width;
  plan->height = height;
  plan->step = step;
  plan->spare = g_new(guint8, width);
  for (i = 0; i < G_N_ELEMENTS(plan->rows); i++)
    plan->rows[i] = g_new(gint16, MAX((guint)width, chroma_row(plan)) + 2 * PAD) + PAD;
  return plan;
}

/* Makes room for the colour tables, and returns that of luma for the caller to
 * fill. */
gint16 *
adjust_plan_luma(AdjustPlan *plan)
{
  int cb, cr;

  plan->luma = g_new(gint16, ADJUST_CELLS * ADJUST_CELLS * 256 * ADJUST_CORNERS);
  plan->chroma = g_new(gint16, ADJUST_CELLS * ADJUST_CELLS * 256 * ADJUST_CORNERS * 2);
  plan->weight = g_new(gint16, 256 * ADJUST_CORNERS);
  for (cb = 0; cb < 16; cb++) {
    for (cr = 0; cr < 16; cr++) {
      gint16 *w = plan->weight + (cb * 16 + cr) * ADJUST_CORNERS;

      w[0] = (gint16)((16 - cb) * (16 - cr));
      w[1] = (gint16)((16 - cb) * cr);
      w[2] = (gint16)(cb * (16 - cr));
      w[3] = (gint16)(cb * cr);
    }
  }
  return plan->luma;
}

/* Makes room for the vignette's places, for the caller to fill. */
void
adjust_plan_vignette(AdjustPlan *plan)
{
  plan->across = g_new(gint16, plan->width);
  plan->down = g_new(gint16, plan->height);
  plan->chroma_across = g_new(gint16, chroma_row(plan));
  plan->chroma_down = g_new(gint16, (plan->height + 1) / 2);
}

static void
clear(gpointer p)
{
  AdjustPlan *plan = p;
  guint i;

  g_free(plan->curves);
  g_free(plan->luma);
  g_free(plan->chroma);
  g_free(plan->weight);
  g_free(plan->across);
  g_free(plan->down);
  g_free(plan->chroma_across);
  g_free(plan->chroma_down);
  g_free(plan->tile);
  g_free(plan->spare);
  for (i = 0; i < G_N_ELEMENTS(plan->rows); i++)
    g_free(plan->rows[i] - PAD);
}

AdjustPlan *
adjust_plan_ref(AdjustPlan *plan)
{
  return g_atomic_rc_box_acquire(plan);
}

void
adjust_plan_unref(AdjustPlan *plan)
{
  g_atomic_rc_box_release_full(plan, clear);
}

/* Works on one picture of the plan's size in place. Noise goes before detail is
 * raised, which would raise it too; grain comes last, for nothing is to change it. */
void
adjust_work(AdjustPlan *plan, const AdjustPicture *picture, guint64 frame)
{
  if (plan->denoise > 0)
    adjust_denoise(plan, picture);
  if (plan->sharpen > 0)
    adjust_sharpen(plan, picture);
  if (plan->curves != NULL)
    adjust_curves(plan, picture);
  if (plan->luma != NULL)
    adjust_table(plan, picture);
  if (plan->falloff > 0)
    adjust_vignette(plan, picture);
  if (plan->grain > 0)
    adjust_grain(plan, picture, frame);
}
