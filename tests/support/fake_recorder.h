// Recordings without a device: the work is kept and done again.
#pragma once

#include "apo/base/replay.h"

namespace apo::test {

class FakeRecorder : public Recorder {
 public:
  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    if (refuses) return nullptr;
    ++recordings;
    return std::make_unique<Again>(work, replays);
  }
  std::shared_ptr<void> enter() override { return nullptr; }

  bool refuses = false;
  int recordings = 0;
  int replays = 0;

 private:
  class Again : public Recording {
   public:
    Again(std::function<void()> work, int& replays) : work_(std::move(work)), replays_(replays) {}
    void replay() override {
      ++replays_;
      work_();
    }

   private:
    std::function<void()> work_;
    int& replays_;
  };
};

}  // namespace apo::test
