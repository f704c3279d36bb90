"""What word-grounding models have learned, measured as CVCL measures it (Vong et al. 2024)."""
