"""Evaluation of word-grounding models, after CVCL (Vong et al. 2024)."""
