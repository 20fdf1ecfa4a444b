#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace signalbox {

/// 128 bits that name a pipeline, a user or a task.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
};

/// The canonical form, hyphens where they belong, letters in any case; anything else is nullopt.
std::optional<Uuid> parse_uuid(std::string_view text);

/// 36 characters, lower case.
std::string to_text(const Uuid& uuid);

}  // namespace signalbox

template <>
struct std::hash<signalbox::Uuid> {
  std::size_t operator()(const signalbox::Uuid& uuid) const noexcept;
};
