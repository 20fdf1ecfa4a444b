#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "adapters/sqlite_database.hpp"
#include "domain/claim_book.hpp"

namespace signalbox {

/// Keeps what a claim book must remember in a file, so that the death of the process costs neither
/// a task nor a fence. One process at a time has the file. One thread at a time.
class ClaimBookFile {
 public:
  struct Content {
    ClaimBook::Memory memory;
    std::deque<QueuedTask> taken;  ///< by workers, and not finished
  };

  /// Opens the file at the first call.
  explicit ClaimBookFile(SqliteOptions options);
  ~ClaimBookFile();

  /// Throws IoError, also when another process has the file.
  Content read();

  /// Makes the file hold this, in one transaction that writes what has changed since the last call.
  /// Names of signals only ever come, and go by generations, so those of `fresh` are added and the
  /// rest is left. Throws IoError: then the file may hold either; call it again with all of it.
  void write(const ClaimBook::Memory& memory, std::span<const QueuedTask> taken,
             std::span<const std::string> fresh);

 private:
  struct Connection;
  Connection& connection();

  SqliteOptions options_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace signalbox
