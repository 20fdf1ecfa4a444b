#pragma once

#include <string>
#include <utility>

namespace signalbox {

/// A text that never reaches a log, a message or a page: it has to be asked for by name.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_{std::move(text)} {}

  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }

  bool operator==(const Secret&) const = default;

 private:
  std::string text_;
};

}  // namespace signalbox
