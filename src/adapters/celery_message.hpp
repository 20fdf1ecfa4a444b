#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "domain/claim.hpp"

namespace signalbox {

struct CeleryOptions {
  std::string task_name = "app.orchestration.tasks.execute_pipeline";
  std::string queue = "celery";
  std::string backtest_queue = "backtest_pipeline_execution";
  std::string origin = "signalbox";  ///< who sent it, for people

  const std::string& queue_of(const TaskRequest& request) const {
    return request.is_backtest ? backtest_queue : queue;
  }
};

/// Names tasks, and writes them as Celery's Redis transport stores them (docs/WIRE.md): protocol 2
/// with the fields of Celery 5.3.4, ASCII outside of the body, which is base64. One thread.
class CeleryMessages {
 public:
  explicit CeleryMessages(CeleryOptions options);
  ~CeleryMessages();
  CeleryMessages(const CeleryMessages&) = delete;
  CeleryMessages& operator=(const CeleryMessages&) = delete;

  /// UUIDv5 of `signal_key|pipeline|ticker`: the same whoever computes it, and when.
  std::string task_id(std::string_view signal_key, const Uuid& pipeline, std::string_view ticker);

  /// The first 16 bytes of the SHA-1 of a signal's name: what is remembered of it.
  std::string digest(std::string_view signal_key);

  /// A UUIDv4 that no other task of any replica has.
  std::string delivery_tag();

  /// The task's keyword arguments as a JSON object; valid until the next call.
  std::string_view kwargs(const TaskRequest& request);

  struct Stamp {
    std::string_view task_id;
    std::string_view delivery_tag;
    std::string_view expires;  ///< ISO 8601 with an offset
  };

  /// Appends the list element; returns where, counted from its beginning, the text of `expires`
  /// stands: a task that waited is enqueued with another one of the same length.
  std::size_t append(std::string& out, const TaskRequest& request, const Stamp& stamp);

 private:
  struct Sha1;
  std::string_view body(const TaskRequest& request);

  CeleryOptions options_;
  std::unique_ptr<Sha1> sha1_;
  std::uint64_t random_[2];
  std::string arguments_;
  std::string encoded_;
  std::string reply_to_;
};

}  // namespace signalbox
