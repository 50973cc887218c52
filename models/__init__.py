"""The torch side: CLIP, CoOp, Grad-CAM. Never imports app."""
