// What a trained network reaches, and what it says of examples.
#pragma once

#include <filesystem>

#include "apo/run/trained_model.h"

namespace apo {

struct UseRequest {
  std::filesystem::path model;  ///< the folder of a run, or its model.safetensors
  Overrides overrides = [](Document&) {};
  Part part = Part::test;             ///< of the data set
  std::filesystem::path inputs = {};  ///< of predictions, instead: see read_examples()
  bool json = false;
};

/// Writes loss and accuracy on a part of the data set to stdout, with the accuracy of each class
/// and, as JSON, the confusion matrix: confusion[i][j] examples of class i were taken for j.
/// Throws as load_trained and load_part do, and as deliver().
void evaluate_model(const UseRequest& request);

/// Writes a line for each example, or position of a sequence, to stdout: its label and the
/// probabilities of the classes, or the outputs of a regression; as CSV with a header, or as a JSON
/// object a line, which have the logits, too. Throws likewise, and as read_examples().
void predict(const UseRequest& request);

}  // namespace apo
