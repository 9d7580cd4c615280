/* The properties: GValues in and out of the plain types of properties.go. */
#include "element.h"

#include <stdlib.h>

#include "_cgo_export.h"

static GType
provider_type(void)
{
  static const GEnumValue values[] = {
      {0, "The first that can run the model of tensorrt, cuda, openvino and cpu", "auto"},
      {1, "NVIDIA GPU, by TensorRT", "tensorrt"},
      {2, "NVIDIA GPU, by CUDA", "cuda"},
      {3, "Intel GPU, by OpenVINO", "openvino"},
      {4, "Any GPU, by WebGPU", "webgpu"},
      {5, "Processor", "cpu"},
      {0, NULL, NULL},
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstUpscaleProvider", values));
  return type;
}

static GType
precision_type(void)
{
  static const GEnumValue values[] = {
      {0, "The model's own, or less where the provider gains by it", "auto"},
      {1, "32 bits", "fp32"},
      {2, "16 bits", "fp16"},
      {0, NULL, NULL},
  };
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstUpscalePrecision", values));
  return type;
}

static GstStructure *
stats(GstUpscale *self)
{
  UpscaleStats s = {0};
  GstStructure *out;

  goUpscaleStats(self->go, &s);
  out = gst_structure_new("application/x-upscale-stats", "upscaled", G_TYPE_UINT64, s.upscaled, "plain", G_TYPE_UINT64,
      s.plain, "dropped", G_TYPE_UINT64, s.dropped, "failed", G_TYPE_UINT64, s.failed, "inference-median-ms",
      G_TYPE_DOUBLE, s.median_ms, "inference-p95-ms", G_TYPE_DOUBLE, s.p95_ms, "model", G_TYPE_STRING, s.model,
      "provider", G_TYPE_STRING, s.provider, NULL);
  free(s.model);
  free(s.provider);
  return out;
}

void
upscale_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  GstUpscale *self = GST_UPSCALE(object);
  char *sentence = NULL;

  if (G_IS_PARAM_SPEC_STRING(spec))
    sentence = goUpscaleSetString(self->go, (int)id, (char *)g_value_get_string(value));
  else if (G_IS_PARAM_SPEC_ENUM(spec))
    sentence = goUpscaleSetString(self->go, (int)id,
        (char *)g_enum_get_value(G_PARAM_SPEC_ENUM(spec)->enum_class, g_value_get_enum(value))->value_nick);
  else if (G_IS_PARAM_SPEC_INT(spec))
    sentence = goUpscaleSetInt(self->go, (int)id, g_value_get_int(value));
  else if (G_IS_PARAM_SPEC_DOUBLE(spec))
    sentence = goUpscaleSetDouble(self->go, (int)id, g_value_get_double(value));
  else if (G_IS_PARAM_SPEC_BOOLEAN(spec))
    sentence = goUpscaleSetInt(self->go, (int)id, g_value_get_boolean(value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);

  if (sentence != NULL) { /* what ran before runs on: a warning, not an error */
    GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS, ("%s", sentence), (NULL));
    free(sentence);
  } else if (id == PROP_PASSTHROUGH) {
    /* The size of what leaves changes: the streaming thread negotiates before
     * its next frame, and takes the change over there (see set_info). */
    gst_base_transform_reconfigure_sink(GST_BASE_TRANSFORM(self));
    gst_base_transform_reconfigure_src(GST_BASE_TRANSFORM(self));
  }
}

void
upscale_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GstUpscale *self = GST_UPSCALE(object);
  char *s;

  if (id == PROP_STATS) {
    g_value_take_boxed(value, stats(self));
  } else if (G_IS_PARAM_SPEC_STRING(spec)) {
    s = goUpscaleGetString(self->go, (int)id);
    g_value_set_string(value, s);
    free(s);
  } else if (G_IS_PARAM_SPEC_ENUM(spec)) {
    s = goUpscaleGetString(self->go, (int)id);
    g_value_set_enum(value, g_enum_get_value_by_nick(G_PARAM_SPEC_ENUM(spec)->enum_class, s)->value);
    free(s);
  } else if (G_IS_PARAM_SPEC_INT(spec)) {
    g_value_set_int(value, goUpscaleGetInt(self->go, (int)id));
  } else if (G_IS_PARAM_SPEC_DOUBLE(spec)) {
    g_value_set_double(value, goUpscaleGetDouble(self->go, (int)id));
  } else if (G_IS_PARAM_SPEC_BOOLEAN(spec)) {
    g_value_set_boolean(value, goUpscaleGetInt(self->go, (int)id));
  } else {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

void
upscale_install_properties(GObjectClass *klass)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  char *model = goUpscaleDefaultModel();

  g_object_class_install_property(klass, PROP_MODEL,
      g_param_spec_string("model", "Model",
          "Id of a known model, or path of an ONNX file; from PAUSED on, of one with the scale of the running one", model,
          playing));
  g_object_class_install_property(klass, PROP_PROVIDER,
      g_param_spec_enum("provider", "Provider", "What runs the model; one that is named and cannot is an error",
          provider_type(), 0, ready));
  g_object_class_install_property(klass, PROP_DEVICE,
      g_param_spec_int("device", "Device", "Number of the provider's device", 0, 255, 0, ready));
  g_object_class_install_property(klass, PROP_PRECISION,
      g_param_spec_enum("precision", "Precision", "Number format that the model computes in", precision_type(), 0, ready));
  g_object_class_install_property(klass, PROP_THREADS,
      g_param_spec_int("threads", "Threads", "Threads of the CPU provider; 0 for one a core, at most 8", 0, 256, 0, ready));
  g_object_class_install_property(klass, PROP_TILE,
      g_param_spec_int("tile", "Tile",
          "Longest side of the tiles that a frame is cut into, in pixels, at least 32; 0 for none unless the model needs it",
          0, 16384, 0, ready));
  g_object_class_install_property(klass, PROP_STRENGTH,
      g_param_spec_double("strength", "Strength", "Share of the model's picture in the mix with a bicubic upscale", 0, 1, 1,
          playing));
  g_object_class_install_property(klass, PROP_PASSTHROUGH,
      g_param_spec_boolean("passthrough", "Passthrough", "Hand frames on as they are, at their own size", FALSE, playing));
  g_object_class_install_property(klass, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics",
          "Frames upscaled, plain (handed on in passthrough), dropped (late, by QoS) and failed since READY, time of one "
          "frame in milliseconds, model and provider that run",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  free(model);
}
