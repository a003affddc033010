#include "apo/data/dataset.h"
#include "apo/data/own.h"

namespace apo {

const Registry<Dataset, const DataRequest&>& datasets() {
  static const Registry<Dataset, const DataRequest&> registry = {
      member("mnist", "handwritten digits, 28 x 28 grey, 60,000 + 10,000", load_mnist),
      member(
          "fashion_mnist", "pieces of clothing, 28 x 28 grey, 60,000 + 10,000", load_fashion_mnist),
      member("cifar10", "photographs of 10 classes, 32 x 32 colour, 50,000 + 10,000", load_cifar10),
      member(
          "cifar100", "photographs of 100 classes, 32 x 32 colour, 50,000 + 10,000", load_cifar100),
      member("svhn", "house numbers' digits, 32 x 32 colour, 73,257 + 26,032", load_svhn),
      member("tensors", "your own examples, of any shape: a safetensors file", load_tensors),
      member("csv", "your own table: numbers and words, classes or a regression", load_csv),
      member("text", "your own text, byte by byte, for a model of language", load_text),
      member("folder", "your own pictures, PNG and JPEG: a folder for each class", load_folder),
      member("synthetic", "noisy class pictures from the seed, needs no files", make_synthetic),
  };
  return registry;
}

}  // namespace apo
