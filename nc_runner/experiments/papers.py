"""The papers, and how to cite them."""

from __future__ import annotations

from typing import NamedTuple


class Paper(NamedTuple):
    """A paper as lists name it, and its BibTeX."""

    authors: str
    title: str
    bibtex: str


PAPERS = {
    "pan2023": Paper(
        "Pan 2023",
        "Mathematical guarantees of near-optimal cross-entropy loss through neural collapse",
        """\
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
    ),
    "ji2022": Paper(
        "Ji et al. 2022",
        "An unconstrained layer-peeled perspective on neural collapse",
        """\
@inproceedings{ji2022,
  author    = {Ji, Wenlong and Lu, Yiping and Zhang, Yiliang and Deng, Zhun and Su, Weijie J.},
  title     = {An Unconstrained Layer-Peeled Perspective on Neural Collapse},
  booktitle = {International Conference on Learning Representations},
  year      = {2022}
}""",
    ),
    "zangrando2026": Paper(
        "Zangrando et al. 2026",
        "Provable emergence of deep neural collapse and low-rank bias in L2-regularized nonlinear networks",
        """\
@article{zangrando2026,
  author  = {Zangrando, Emanuele and Deidda, Piero and Brugiapaglia, Simone
             and Guglielmi, Nicola and Tudisco, Francesco},
  title   = {Provable Emergence of Deep Neural Collapse and Low-Rank Bias in {L2}-Regularized Nonlinear Networks},
  journal = {arXiv preprint arXiv:2402.03991},
  year    = {2026}
}""",
    ),
    "jacot2025": Paper(
        "Jacot et al. 2025",
        "Wide neural networks trained with weight decay provably exhibit neural collapse",
        """\
@inproceedings{jacot2025,
  author    = {Jacot, Arthur and S{\\'u}ken{\\'i}k, Peter and Wang, Zihan and Mondelli, Marco},
  title     = {Wide Neural Networks Trained with Weight Decay Provably Exhibit Neural Collapse},
  booktitle = {International Conference on Learning Representations},
  year      = {2025}
}""",
    ),
    "ours": Paper(
        "nc-run",
        "questions of our own, and the papers they come from",
        """\
@article{papyan2020,
  author  = {Papyan, Vardan and Han, X. Y. and Donoho, David L.},
  title   = {Prevalence of neural collapse during the terminal phase of deep learning training},
  journal = {Proceedings of the National Academy of Sciences},
  volume  = {117},
  number  = {40},
  pages   = {24652--24663},
  year    = {2020}
}

@article{pancao2023,
  author  = {Pan, Leyan and Cao, Xinyuan},
  title   = {Towards Understanding Neural Collapse: The Effects of Batch Normalization and Weight Decay},
  journal = {arXiv preprint arXiv:2309.04644},
  year    = {2023}
}

@inproceedings{dosovitskiy2021,
  author    = {Dosovitskiy, Alexey and Beyer, Lucas and Kolesnikov, Alexander and Weissenborn, Dirk and Zhai, Xiaohua
             and Unterthiner, Thomas and Dehghani, Mostafa and Minderer, Matthias and Heigold, Georg and Gelly, Sylvain
             and Uszkoreit, Jakob and Houlsby, Neil},
  title     = {An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale},
  booktitle = {International Conference on Learning Representations},
  year      = {2021}
}""",
    ),
}
