import torchvision
import torch.nn as nn
from fastai.vision.all import ImageDataLoaders, Learner, accuracy

dls = ImageDataLoaders.from_folder("data", valid="val", bs=8)
net = torchvision.models.resnet18()
net.fc = nn.Linear(net.fc.in_features, dls.c)
learn = Learner(dls, net, metrics=accuracy)
learn.fit_one_cycle(3)
