#include "orchestrate/cover.h"

static bool covers(const struct cover *c, const bool *chosen)
{
	for (size_t i = 0; i < c->items; i++) {
		qty_t left = c->target[i];

		for (size_t k = 0; k < c->locations && left > 0; k++)
			if (chosen[k])
				left -= c->there[k * c->items + i];
		if (left > 0)
			return false;
	}
	return true;
}

static void choose_bits(const struct cover *c, unsigned set, bool *chosen)
{
	for (size_t k = 0; k < c->locations; k++)
		chosen[k] = set & 1u << (c->locations - 1 - k); /* the most preferred is the highest bit */
}

static void choose_best(const struct cover *c, bool *chosen)
{
	unsigned sets = 1u << c->locations, best = sets - 1;
	int64_t least = INT64_MAX;
	int fewest = INT32_MAX;

	for (unsigned set = sets; set-- > 0;) {
		int count = __builtin_popcount(set);
		int64_t price = 0;

		for (size_t k = 0; k < c->locations; k++)
			if (set & 1u << (c->locations - 1 - k))
				price += c->price[k];
		if (price > least || (price == least && count >= fewest))
			continue;
		choose_bits(c, set, chosen);
		if (!covers(c, chosen))
			continue;
		least = price;
		fewest = count;
		best = set;
	}
	choose_bits(c, best, chosen);
}

/* What a location adds to those that are chosen, for its price: a share of each item's target. */
static double adds(const struct cover *c, const bool *chosen, size_t location)
{
	double sum = 0;

	for (size_t i = 0; i < c->items; i++) {
		qty_t left = c->target[i], there = c->there[location * c->items + i];

		for (size_t k = 0; k < c->locations && left > 0; k++)
			if (chosen[k])
				left -= c->there[k * c->items + i];
		if (left > 0 && there > 0)
			sum += (double)(there < left ? there : left) / (double)c->target[i];
	}
	return sum / (double)(c->price[location] > 0 ? c->price[location] : 1);
}

static void choose_greedily(const struct cover *c, bool *chosen)
{
	while (!covers(c, chosen)) {
		size_t best = c->locations;
		double most = 0;

		for (size_t k = 0; k < c->locations; k++) {
			double gain = chosen[k] ? 0 : adds(c, chosen, k);

			if (gain > most) {
				most = gain;
				best = k;
			}
		}
		if (best == c->locations)
			return;
		chosen[best] = true;
	}
	for (size_t k = c->locations; k-- > 0;) {
		if (!chosen[k])
			continue;
		chosen[k] = false;
		if (!covers(c, chosen))
			chosen[k] = true;
	}
}

void cover_choose(const struct cover *c, bool *chosen)
{
	if (c->locations <= COVER_LOCATIONS && (c->items + 1) << c->locations <= COVER_STEPS)
		choose_best(c, chosen);
	else
		choose_greedily(c, chosen);
}
