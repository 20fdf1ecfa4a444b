#include "sim/scheduler.hpp"

#include <boost/context/fiber.hpp>
#include <memory>
#include <utility>

#include "base/check.hpp"

namespace signalbox::sim {
namespace {

constexpr std::size_t kStackBytes = 256 * 1024;

/// Stacks are handed from seed to seed: making one costs more than a small seed does.
class StackPool {
 public:
  boost::context::stack_context allocate() {
    auto& stacks = pool();
    if (stacks.empty()) stacks.push_back(std::make_unique_for_overwrite<char[]>(kStackBytes));
    std::unique_ptr<char[]> stack = std::move(stacks.back());
    stacks.pop_back();
    boost::context::stack_context context;
    context.size = kStackBytes;
    context.sp = stack.release() + kStackBytes;
    return context;
  }

  void deallocate(boost::context::stack_context& context) noexcept {
    pool().push_back(std::unique_ptr<char[]>(static_cast<char*>(context.sp) - context.size));
  }

 private:
  static std::vector<std::unique_ptr<char[]>>& pool() {
    thread_local std::vector<std::unique_ptr<char[]>> stacks;
    return stacks;
  }
};

}  // namespace

struct Scheduler::Fiber {
  FiberId id = 0;
  boost::context::fiber context;  ///< the fiber while it is parked
  boost::context::fiber outside;  ///< the scheduler while the fiber runs
  std::uint64_t park = 0;
  bool is_parked = true;
  bool is_done = false;
};

Scheduler::Scheduler() = default;
Scheduler::~Scheduler() = default;

void Scheduler::at(Micros time, std::function<void()> action) {
  events_.push({.time = time, .order = ++order_, .action = std::move(action)});
}

FiberId Scheduler::spawn(std::function<void()> body) {
  const FiberId id = fibers_.size();
  fibers_.push_back(std::make_unique<Fiber>());
  Fiber* fiber = fibers_.back().get();
  fiber->id = id;
  fiber->context =
      boost::context::fiber{std::allocator_arg, StackPool{},
                            [fiber, body = std::move(body)](boost::context::fiber&& outside) {
                              fiber->outside = std::move(outside);
                              body();
                              fiber->is_done = true;
                              return std::move(fiber->outside);
                            }};
  wake(id, now_);
  return id;
}

void Scheduler::park(Micros deadline) {
  SB_CHECK(current_ != nullptr);
  Fiber& fiber = *current_;
  ++fiber.park;
  fiber.is_parked = true;
  wake(fiber.id, deadline);
  fiber.outside = std::move(fiber.outside).resume();
}

void Scheduler::wake(FiberId fiber, Micros time) {
  if (fibers_[fiber]->is_done || !fibers_[fiber]->is_parked) return;
  events_.push({.time = time > now_ ? time : now_,
                .order = ++order_,
                .action = nullptr,
                .fiber = fiber,
                .park = fibers_[fiber]->park});
}

bool Scheduler::is_done(FiberId fiber) const { return fibers_[fiber]->is_done; }

bool Scheduler::run_one() {
  if (events_.empty()) return false;
  // The queue's top is const only to keep its order, which a move of the action does not touch.
  Event event = std::move(const_cast<Event&>(events_.top()));
  events_.pop();
  now_ = event.time;
  if (event.action) {
    event.action();
  } else {
    Fiber& fiber = *fibers_[event.fiber];
    if (fiber.is_parked && fiber.park == event.park && !fiber.is_done) resume(fiber);
  }
  return true;
}

void Scheduler::resume(Fiber& fiber) {
  fiber.is_parked = false;
  current_ = &fiber;
  fiber.context = std::move(fiber.context).resume();
  current_ = nullptr;
}

}  // namespace signalbox::sim
