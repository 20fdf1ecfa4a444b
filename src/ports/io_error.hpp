#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace signalbox {

/// The outside failed: a server did not answer, a disk was full, a right was missing.
///
/// Thrown by adapters, caught only in a loop's step() and in the HTTP server's outermost handler.
class IoError : public std::runtime_error {
 public:
  IoError(std::string dependency, const std::string& what)
      : std::runtime_error(dependency + ": " + what), dependency_(std::move(dependency)) {}

  /// Who failed: "kafka", "redis", "postgresql", "sqlite", "http".
  const std::string& dependency() const { return dependency_; }

 private:
  std::string dependency_;
};

}  // namespace signalbox
