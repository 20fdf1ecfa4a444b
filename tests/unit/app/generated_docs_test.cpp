#include "app/generated_docs.hpp"

#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace signalbox {
namespace {

std::string committed(const std::string& name) {
  std::ifstream file{std::string{SIGNALBOX_SOURCE_DIR} + "/docs/" + name};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(GeneratedDocs, AreAsTheCodeSays) {
  EXPECT_EQ(generated_document("metrics"), committed("METRICS.md"))
      << "docs/METRICS.md is stale: signalbox docs metrics > docs/METRICS.md";
  EXPECT_EQ(generated_document("reasons"), committed("REASONS.md"))
      << "docs/REASONS.md is stale: signalbox docs reasons > docs/REASONS.md";
}

TEST(GeneratedDocs, AreThreeAndNoMore) {
  EXPECT_TRUE(generated_document("config"));
  EXPECT_FALSE(generated_document("poetry"));
}

}  // namespace
}  // namespace signalbox
