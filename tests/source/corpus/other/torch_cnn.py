import torch
from torch import nn, optim
from torchvision import datasets, transforms


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(16 * 31 * 31, 2)

    def forward(self, x):
        return self.fc(self.pool(torch.relu(self.conv1(x))).flatten(1))


data = datasets.ImageFolder("data/train", transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()]))
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
net, loss_of = Net(), nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(5):
    for images, labels in loader:
        optimizer.zero_grad()
        loss_of(net(images), labels).backward()
        optimizer.step()
