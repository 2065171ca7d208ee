"""The verdict stage: predictions in, an evaluation out: do the synthetic rows help, hurt or make no difference?"""
