#include "decoder.h"

#include <gst/video/gstvideodecoder.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  GstVideoDecoder parent;
  int pictures;
} FailingDecoder;

typedef struct {
  GstVideoDecoderClass parent;
} FailingDecoderClass;

/* Set once, before the first decoder is made. */
static DecoderTrouble its_trouble;
static int its_after;

GType failing_decoder_get_type(void);
G_DEFINE_TYPE(FailingDecoder, failing_decoder, GST_TYPE_VIDEO_DECODER)

static gboolean set_format(GstVideoDecoder *d, GstVideoCodecState *in) {
  GstVideoCodecState *out = gst_video_decoder_set_output_state(d, GST_VIDEO_FORMAT_I420, in->info.width, in->info.height, in);
  gst_video_codec_state_unref(out);
  return TRUE;
}

static GstFlowReturn handle_frame(GstVideoDecoder *d, GstVideoCodecFrame *frame) {
  FailingDecoder *self = (FailingDecoder *)d;
  if (self->pictures++ >= its_after) {
    if (its_trouble == DECODER_LAGS)
      g_usleep(G_USEC_PER_SEC / 10);
    else if (its_trouble == DECODER_ABORTS)
      abort();
    else
      for (;;)
        pause();
  }
  GstFlowReturn flow = gst_video_decoder_allocate_output_frame(d, frame);
  if (flow != GST_FLOW_OK) {
    gst_video_decoder_drop_frame(d, frame);
    return flow;
  }
  gst_buffer_memset(frame->output_buffer, 0, 128, gst_buffer_get_size(frame->output_buffer));
  return gst_video_decoder_finish_frame(d, frame);
}

static GstStaticPadTemplate sink = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("video/x-h264, stream-format=(string)avc, alignment=(string)au"));
static GstStaticPadTemplate src = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("video/x-raw, format=(string)I420"));

static void failing_decoder_class_init(FailingDecoderClass *c) {
  GstElementClass *element = GST_ELEMENT_CLASS(c);
  gst_element_class_set_static_metadata(element, "Failing decoder", "Codec/Decoder/Video", "Fails as decoders do", "upscaled");
  gst_element_class_add_static_pad_template(element, &sink);
  gst_element_class_add_static_pad_template(element, &src);
  GST_VIDEO_DECODER_CLASS(c)->set_format = set_format;
  GST_VIDEO_DECODER_CLASS(c)->handle_frame = handle_frame;
}

static void failing_decoder_init(FailingDecoder *self) { self->pictures = 0; }

gboolean decoder_register(DecoderTrouble trouble, int after) {
  its_trouble = trouble;
  its_after = after;
  return gst_element_register(NULL, "failingdecoder", GST_RANK_PRIMARY + 1000, failing_decoder_get_type());
}
