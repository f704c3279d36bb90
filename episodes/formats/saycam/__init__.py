"""SAYCam (Sullivan et al. 2021), raw and as CVCL and EgoBabyVLM keep it."""
