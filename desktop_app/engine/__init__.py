"""The engine: where pipelines are loaded and run. torch and diffusers are imported inside functions only. No Qt."""
