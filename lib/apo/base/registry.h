// A family's table of members: name, one line of help, and how to make one from its options.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apo/base/options.h"

namespace apo {

/// A member of a family with the values of its options; makes products of them.
template <class Product, class... Arguments>
class Recipe {
 public:
  virtual ~Recipe() = default;
  virtual void visit(OptionVisitor& visitor) = 0;
  virtual std::unique_ptr<Product> make(Arguments... arguments) const = 0;
};

template <class Product, class... Arguments>
struct Member {
  std::string name;
  std::string help;
  /// A recipe with the member's default options.
  std::function<std::shared_ptr<Recipe<Product, Arguments...>>()> recipe;
};

template <class Product, class... Arguments>
using Registry = std::vector<Member<Product, Arguments...>>;

/// The recipe of a member whose options are the struct Options.
template <class Options, class Product, class... Arguments>
class OptionsRecipe : public Recipe<Product, Arguments...> {
 public:
  using Factory = std::unique_ptr<Product> (*)(const Options&, Arguments...);

  explicit OptionsRecipe(Factory factory) : factory_(factory) {}
  void visit(OptionVisitor& visitor) override { options_.visit(visitor); }
  std::unique_ptr<Product> make(Arguments... arguments) const override {
    return factory_(options_, std::forward<Arguments>(arguments)...);
  }

 private:
  Factory factory_;
  Options options_;
};

/// A row of a registry: `factory` makes the member from its options struct.
template <class Options, class Product, class... Arguments>
Member<Product, Arguments...> member(std::string name,
                                     std::string help,
                                     std::unique_ptr<Product> (*factory)(const Options&,
                                                                         Arguments...)) {
  return {std::move(name), std::move(help), [factory] {
            return std::make_shared<OptionsRecipe<Options, Product, Arguments...>>(factory);
          }};
}

/// A family as a configuration key sees it: the names to choose from and the chosen member's
/// options.
class Choice {
 public:
  virtual ~Choice() = default;
  virtual std::vector<std::string> names() const = 0;
  virtual std::string help(const std::string& name) const = 0;
  const std::string& name() const { return name_; }
  /// Chooses a member, with its default options. Pre: `name` is one of names().
  void select(const std::string& name) {
    name_ = name;
    reset();
  }
  virtual void visit(OptionVisitor& visitor) = 0;

 protected:
  virtual void reset() = 0;
  std::string name_;
};

template <class Product, class... Arguments>
class ChoiceOf : public Choice {
 public:
  ChoiceOf(const Registry<Product, Arguments...>& registry, const std::string& name)
      : registry_(&registry) {
    select(name);
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& member : *registry_) names.push_back(member.name);
    return names;
  }
  std::string help(const std::string& name) const override { return find(name).help; }
  void visit(OptionVisitor& visitor) override { recipe_->visit(visitor); }
  std::unique_ptr<Product> make(Arguments... arguments) const {
    return recipe_->make(std::forward<Arguments>(arguments)...);
  }

 private:
  const Member<Product, Arguments...>& find(const std::string& name) const {
    for (const auto& member : *registry_) {
      if (member.name == name) return member;
    }
    throw std::logic_error("no member '" + name + "' in the registry");
  }
  void reset() override { recipe_ = find(name_).recipe(); }

  const Registry<Product, Arguments...>* registry_;
  std::shared_ptr<Recipe<Product, Arguments...>> recipe_;
};

/// Choices of one family, one after the other. A family may have members whose options are such a
/// list again.
class ChoiceList {
 public:
  virtual ~ChoiceList() = default;
  virtual size_t size() const = 0;
  virtual Choice& at(size_t index) = 0;
  virtual void clear() = 0;
  /// One more, the family's first member, which lives until the list is changed.
  virtual Choice& add() = 0;
  /// What is the same for all lists of the family.
  virtual const void* family() const = 0;
  /// A choice of the family that belongs to no list.
  virtual std::unique_ptr<Choice> any() const = 0;
};

template <class Product, class... Arguments>
class ChoiceListOf : public ChoiceList {
 public:
  using Item = ChoiceOf<Product, Arguments...>;

  explicit ChoiceListOf(const Registry<Product, Arguments...>& registry,
                        const std::vector<std::string>& names = {})
      : registry_(&registry) {
    for (const std::string& name : names) items_.emplace_back(registry, name);
  }
  size_t size() const override { return items_.size(); }
  Choice& at(size_t index) override { return items_.at(index); }
  void clear() override { items_.clear(); }
  Choice& add() override { return items_.emplace_back(*registry_, registry_->front().name); }
  const void* family() const override { return registry_; }
  std::unique_ptr<Choice> any() const override {
    return std::make_unique<Item>(*registry_, registry_->front().name);
  }
  const std::vector<Item>& items() const { return items_; }

 private:
  const Registry<Product, Arguments...>* registry_;
  std::vector<Item> items_;
};

}  // namespace apo
