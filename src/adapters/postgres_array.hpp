#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/message.hpp"

namespace signalbox {

/// Builds one PostgreSQL array literal, element by element: `{1.5,NULL,"a\"b"}`.
///
/// Numbers are copied as the text that came, so that no digit is lost. Reusable: clear() keeps
/// the memory.
class PostgresArray {
 public:
  void clear();

  void add_null();

  /// Quoted and escaped. A NUL byte, which no PostgreSQL text can hold, becomes U+FFFD.
  void add_text(std::string_view text);
  void add_optional_text(const std::optional<std::string>& text);

  /// Empty text is NULL. What is no plain number is quoted, so that it can only spoil its row.
  void add_number(std::string_view text);
  void add_integer(std::int64_t value);
  void add_bool(bool value) { add_raw(value ? "t" : "f"); }

  /// For bytea[], in hexadecimal; data() == nullptr is NULL.
  void add_bytes(std::string_view bytes);

  /// For timestamptz[]. NULL where PostgreSQL's ISO form cannot say it (before year 1, after 9999).
  void add_time(std::optional<EventTime> time);

  /// Ends the literal; valid until the next clear().
  const char* literal();

 private:
  void separate();
  void add_raw(std::string_view text);

  std::string text_ = "{";
  bool is_ended_ = false;
};

/// `2024-05-01 12:30:00.250+00`; nullopt before year 1 and after 9999.
std::optional<std::string> postgres_time(EventTime time);
std::optional<std::string> postgres_time(ReceivedAt time);

}  // namespace signalbox
