#include "apo/train/device_stopwatch.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace apo {

c10::Event DeviceStopwatch::mark() const {
  c10::Event event(device_.type(), c10::EventFlag::BACKEND_DEFAULT);  // one that keeps the time
  event.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  return event;
}

void DeviceStopwatch::start() {
  if (!device_.is_cuda()) return host_.start();
  c10::Event begin = mark();
  intervals_.emplace_back(std::move(begin), c10::Event(device_.type()));
}

void DeviceStopwatch::stop() {
  if (!device_.is_cuda()) return host_.stop();
  intervals_.back().second = mark();
  while (!intervals_.empty() && intervals_.front().second.query()) add_first();
}

double DeviceStopwatch::seconds() {
  while (!intervals_.empty()) add_first();
  return total_ + host_.seconds();
}

void DeviceStopwatch::add_first() {
  constexpr double kMillisecond = 1e-3;
  const auto& [begin, end] = intervals_.front();
  end.synchronize();
  total_ += begin.elapsedTime(end) * kMillisecond;
  intervals_.pop_front();
}

void DeviceStopwatch::visit_state(const std::string& name, StateVisitor& visitor) {
  if (!device_.is_cuda()) return host_.visit_state(name, visitor);
  double counted = seconds();
  visitor.real(name, counted);
  if (visitor.restores()) total_ = counted;
}

}  // namespace apo
