"""The papers, and how to cite them."""

PAPERS = {
    "pan2023": """\
@mastersthesis{pan2023,
  author = {Pan, Leyan},
  title  = {Mathematical guarantees of near-optimal cross-entropy loss through neural collapse},
  school = {Georgia Institute of Technology},
  year   = {2023}
}

@article{pancao2023,
  author  = {Pan, Leyan and Cao, Xinyuan},
  title   = {Towards Understanding Neural Collapse: The Effects of Batch Normalization and Weight Decay},
  journal = {arXiv preprint arXiv:2309.04644},
  year    = {2023}
}""",
    "ji2022": """\
@inproceedings{ji2022,
  author    = {Ji, Wenlong and Lu, Yiping and Zhang, Yiliang and Deng, Zhun and Su, Weijie J.},
  title     = {An Unconstrained Layer-Peeled Perspective on Neural Collapse},
  booktitle = {International Conference on Learning Representations},
  year      = {2022}
}""",
    "zangrando2026": """\
@article{zangrando2026,
  author  = {Zangrando, Emanuele and Deidda, Piero and Brugiapaglia, Simone
             and Guglielmi, Nicola and Tudisco, Francesco},
  title   = {Provable Emergence of Deep Neural Collapse and Low-Rank Bias in {L2}-Regularized Nonlinear Networks},
  journal = {arXiv preprint arXiv:2402.03991},
  year    = {2026}
}""",
    "jacot2025": """\
@inproceedings{jacot2025,
  author    = {Jacot, Arthur and S{\\'u}ken{\\'i}k, Peter and Wang, Zihan and Mondelli, Marco},
  title     = {Wide Neural Networks Trained with Weight Decay Provably Exhibit Neural Collapse},
  booktitle = {International Conference on Learning Representations},
  year      = {2025}
}""",
}
